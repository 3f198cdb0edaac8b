"""Quantity, cash and fees are sums: order does not matter, busts take out what was put in."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trading_orchestrator.brokers.port import Side, TradeReport
from trading_orchestrator.trading.positions.balances import changes_of, with_changes
from trading_orchestrator.trading.positions.position import Position, book_trade, bust_trade

SYMBOL = "BASE/QUOTE"
MARK = Decimal("103.5")
CENT = Decimal("0.000001")


def amounts(limit: str) -> st.SearchStrategy[Decimal]:
    return st.decimals("0.01", limit, places=2)


def trades_with(fee_assets: tuple[str, ...]) -> st.SearchStrategy[list[TradeReport]]:
    one = st.builds(
        TradeReport,
        symbol=st.just(SYMBOL),
        trade_id=st.uuids().map(str),
        venue_order_id=st.just(""),
        cl_ord_id=st.just(""),
        side=st.sampled_from(Side),
        last_qty=amounts("50"),
        last_px=amounts("200"),
        fee=st.decimals("0", "0.05", places=3),
        fee_asset=st.sampled_from(fee_assets),
        at_ns=st.just(0),
    )
    return st.lists(one, max_size=12)


def booked(trades: list[TradeReport]) -> Position:
    position = Position(SYMBOL)
    for trade in trades:
        position = book_trade(position, trade)
    return position


def sums(position: Position) -> tuple[Decimal, Decimal, dict[str, Decimal], int]:
    return position.qty, position.cash_flow, {k: v for k, v in position.fees.items() if v}, position.trades


@given(trades_with(("BASE", "QUOTE", "OTHER")))
def test_the_order_of_trades_does_not_matter(trades: list[TradeReport]) -> None:
    assert sums(booked(trades)) == sums(booked(trades[::-1]))


@given(trades_with(("BASE", "QUOTE", "OTHER")), trades_with(("BASE", "QUOTE")))
def test_busting_takes_out_what_booking_put_in(kept: list[TradeReport], gone: list[TradeReport]) -> None:
    position = booked([*kept, *gone])
    for trade in gone:
        position = bust_trade(position, trade)

    assert sums(booked(kept)) == sums(position)


@given(trades_with(("QUOTE", "OTHER")), trades_with(("QUOTE",)))
def test_profit_at_a_price_is_cash_plus_what_is_held_after_busts_too(
    kept: list[TradeReport], gone: list[TradeReport]
) -> None:
    position = booked([*kept, *gone])
    for trade in gone:
        position = bust_trade(position, trade)

    worth = position.cash_flow + position.qty * MARK
    assert abs(worth - (position.realized + position.unrealized(MARK))) < CENT


@given(trades_with(("BASE", "QUOTE", "OTHER")))
def test_balances_and_position_tell_the_same_quantity(trades: list[TradeReport]) -> None:
    balances: dict[str, Decimal] = {"BASE": Decimal(7), "QUOTE": Decimal(9)}
    for trade in trades:
        balances = with_changes(balances, changes_of(trade))

    position = booked(trades)
    assert Decimal(7) + position.qty == balances["BASE"]
    assert Decimal(9) + position.cash_flow - position.fees.get("QUOTE", Decimal(0)) == balances["QUOTE"]
