"""Average cost, realized profit and fees of a position, in figures worked out by hand."""

from __future__ import annotations

from decimal import Decimal

from trading_orchestrator.brokers.port import Side, TradeReport
from trading_orchestrator.trading.positions.balances import changes_of
from trading_orchestrator.trading.positions.position import Position, book_trade, bust_trade

SYMBOL = "BASE/QUOTE"


def trade(side: Side, qty: str, px: str, fee: str = "0", fee_asset: str = "") -> TradeReport:
    return TradeReport(
        symbol=SYMBOL,
        trade_id="1",
        venue_order_id="",
        cl_ord_id="",
        side=side,
        last_qty=Decimal(qty),
        last_px=Decimal(px),
        fee=Decimal(fee),
        fee_asset=fee_asset,
        at_ns=0,
    )


def position_of(*trades: TradeReport) -> Position:
    position = Position(SYMBOL)
    for each in trades:
        position = book_trade(position, each)
    return position


def test_buys_average_and_a_sell_realizes_against_the_average() -> None:
    position = position_of(trade(Side.BUY, "1", "100"), trade(Side.BUY, "1", "200"), trade(Side.SELL, "1", "180"))

    assert (Decimal(1), Decimal(150), Decimal(30)) == (position.qty, position.avg_px, position.realized)
    assert Decimal(10) == position.unrealized(Decimal(160))


def test_a_trade_through_zero_closes_and_opens() -> None:
    position = position_of(trade(Side.BUY, "2", "100"), trade(Side.SELL, "5", "110"))

    assert (Decimal(-3), Decimal(110), Decimal(20)) == (position.qty, position.avg_px, position.realized)
    assert Decimal(30) == position.unrealized(Decimal(100))


def test_a_fee_in_the_base_asset_reduces_what_is_held() -> None:
    bought = trade(Side.BUY, "1", "100", fee="0.001", fee_asset="BASE")
    position = position_of(bought)

    assert Decimal("0.999") == position.qty
    assert {"BASE": Decimal("0.001")} == position.fees
    assert {"BASE": Decimal("0.999"), "QUOTE": Decimal(-100)} == changes_of(bought)


def test_a_fee_in_the_quote_or_another_asset_leaves_the_quantity() -> None:
    position = position_of(trade(Side.SELL, "1", "100", "0.1", "QUOTE"), trade(Side.SELL, "1", "100", "0.002", "BNB"))

    assert Decimal(-2) == position.qty
    assert {"QUOTE": Decimal("0.1"), "BNB": Decimal("0.002")} == position.fees
    assert {"BASE": Decimal(-1), "QUOTE": Decimal("99.9")} == changes_of(trade(Side.SELL, "1", "100", "0.1", "QUOTE"))


def test_a_busted_buy_leaves_the_average_of_the_others() -> None:
    gone = trade(Side.BUY, "1", "200", "0.1", "QUOTE")
    position = bust_trade(position_of(trade(Side.BUY, "1", "100"), gone), gone)

    assert (Decimal(1), Decimal(100), Decimal(0), 1) == (
        position.qty,
        position.avg_px,
        position.realized,
        position.trades,
    )
    assert {"QUOTE": Decimal(0)} == position.fees


def test_a_busted_sell_gives_its_profit_back() -> None:
    gone = trade(Side.SELL, "2", "150")
    position = bust_trade(position_of(trade(Side.BUY, "2", "100"), gone), gone)

    assert (Decimal(2), Decimal(100), Decimal(0)) == (position.qty, position.avg_px, position.realized)


def test_a_busted_buy_whose_goods_were_sold_leaves_the_whole_sale_realized_against_cash() -> None:
    gone = trade(Side.BUY, "1", "100")
    position = bust_trade(position_of(gone, trade(Side.SELL, "1", "130")), gone)

    assert Decimal(-1) == position.qty
    assert Decimal(130) == position.cash_flow
    assert position.cash_flow + position.qty * position.avg_px == position.realized
