"""The trend follower: in at a close beyond the range, out at its trailing stop, the same after any takeover."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest

from trading_orchestrator.brokers.port import NewOrder, OrdType, TradeReport
from trading_orchestrator.kernel.config import ConfigRefused
from trading_orchestrator.market.port import Bar, Instrument, Quote
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.strategies.breakout import Breakout, BreakoutParams, BreakoutState
from trading_orchestrator.trading.strategies.load import load_strategy

SYMBOL = "EUR/USDT"
PARAMS = BreakoutParams(symbol=SYMBOL, qty=Decimal(10), range_bars=3, stop_ranges=Decimal(2))
FLAT = ("100", "100", "100")
LIVELY = ("100", "101", "100", "105", "109", "108", "104", "90", "100", "99", "101", "112", "113", "99", "98", "97")


class OneOrder:
    """A floor where every order fills at the last close, but for those that `holds_back`."""

    def __init__(self, *, holds_back: bool = False) -> None:
        self.sent: list[tuple[str, Decimal]] = []
        self.waiting: list[Order] = []
        self._holds_back = holds_back

    def submit(self, strategy: str, order: NewOrder) -> str:
        assert OrdType.MARKET is order.ord_type
        self.sent.append((order.side.value, order.order_qty))
        cl_ord_id = str(len(self.sent))
        self.waiting.append(Order(cl_ord_id, SYMBOL, order.side, order.ord_type, order.order_qty, None))
        return cl_ord_id

    def fill(self, strategy: Breakout, px: Decimal) -> None:
        waiting, self.waiting = self.waiting, self.waiting if self._holds_back else []
        for order in () if self._holds_back else waiting:
            trade = TradeReport(
                SYMBOL, order.cl_ord_id, "v", order.cl_ord_id, order.side, order.order_qty, px, Decimal(0), "", 0
            )
            strategy.on_fill(order, trade)

    def orders(self, strategy: str) -> Sequence[Order]:
        return self.waiting

    def instrument(self, symbol: str) -> Instrument:
        return Instrument(symbol, "EUR", "USDT", Decimal("0.01"), Decimal("0.1"))

    def cancel(self, strategy: str, cl_ord_id: str, reason: str) -> None: ...
    def replace(self, strategy: str, cl_ord_id: str, qty: Decimal | None, px: Decimal | None, reason: str) -> None: ...
    def position_qty(self, symbol: str) -> Decimal:
        return Decimal(0)

    def quote(self, symbol: str) -> Quote | None:
        return None

    def now_ns(self) -> int:
        return 0


def bar_of(number: int, close_px: str) -> Bar:
    """Return a bar one wide, that closes in its middle."""
    px, half = Decimal(close_px), Decimal("0.5")
    return Bar(SYMBOL, number * 60, (number + 1) * 60, px, px + half, px - half, px, Decimal(1))


def run(
    floor: OneOrder, closes: Sequence[str], *, takeovers: Sequence[int] = (), params: BreakoutParams = PARAMS
) -> Breakout:
    """Show the closes; at each of `takeovers` go on with a successor that knows state and past bars only."""
    strategy = Breakout("s", params, BreakoutState(), floor)
    strategy.warm_up([])
    bars = [bar_of(number, close) for number, close in enumerate(closes)]
    for number, bar in enumerate(bars):
        if number in takeovers:
            state = msgspec.json.decode(msgspec.json.encode(strategy.state), type=BreakoutState)
            strategy = Breakout("s", params, state, floor)
            strategy.warm_up(bars[:number][-params.range_bars :])
        strategy.on_bar(bar)
        floor.fill(strategy, bar.close_px)
    return strategy


def test_a_close_above_the_range_buys_and_one_below_sells() -> None:
    up, down = OneOrder(), OneOrder()
    run(up, (*FLAT, "101"))
    run(down, (*FLAT, "99"))

    assert ([("buy", Decimal(10))], [("sell", Decimal(10))]) == (up.sent, down.sent)


def test_a_close_within_the_range_or_before_there_is_one_does_nothing() -> None:
    floor = OneOrder()
    run(floor, ("100", "110", "100.4", "100.2", "100.1"))

    assert [] == floor.sent


def test_without_shorts_a_break_down_does_nothing() -> None:
    floor = OneOrder()
    run(floor, (*FLAT, "99"), params=msgspec.structs.replace(PARAMS, goes_short=False))

    assert [] == floor.sent


def test_the_stop_trails_the_best_close_and_closes_what_is_held() -> None:
    floor = OneOrder()
    strategy = run(floor, (*FLAT, "101", "105", "103.1"))
    assert [("buy", Decimal(10))] == floor.sent

    strategy.on_bar(bar_of(9, "102.9"))
    floor.fill(strategy, Decimal("102.9"))
    assert [("buy", Decimal(10)), ("sell", Decimal(10))] == floor.sent
    assert Decimal(0) == strategy.state.held_qty


def test_a_short_is_stopped_by_a_rise() -> None:
    floor = OneOrder()
    run(floor, (*FLAT, "99", "95", "97.1"))

    assert [("sell", Decimal(10)), ("buy", Decimal(10))] == floor.sent


def test_nothing_is_decided_while_an_order_is_under_way() -> None:
    floor = OneOrder(holds_back=True)
    run(floor, (*FLAT, "101", "103", "105", "90"))

    assert 1 == len(floor.sent)


def test_a_takeover_at_any_bar_changes_no_decision() -> None:
    never = OneOrder()
    run(never, LIVELY)
    assert len(never.sent) >= 5
    for at in range(1, len(LIVELY)):
        floor = OneOrder()
        run(floor, LIVELY, takeovers=(at, at + 2))
        assert never.sent == floor.sent


def test_it_is_loaded_from_the_config_with_typed_parameters() -> None:
    path = "trading_orchestrator.trading.strategies.breakout:Breakout"
    loaded = load_strategy(path, {"symbol": SYMBOL, "qty": "5", "stop_ranges": "2.5"}, source="test")
    assert BreakoutParams(symbol=SYMBOL, qty=Decimal(5), stop_ranges=Decimal("2.5")) == loaded.params
    assert (60, 20) == (loaded.wants("s").bar_s, loaded.wants("s").warm_up_bars)

    for wrong, said in (
        ({"qty": "0"}, "above 0"),
        ({"range_bars": 1}, ">= 2"),
        ({"stop_range": "2"}, "stop_ranges"),
    ):
        with pytest.raises(ConfigRefused, match=said):
            load_strategy(path, {"symbol": SYMBOL, "qty": "5"} | wrong, source="test")
