"""Each limit refuses just beyond itself, names itself, and passes at itself."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.unit.trading_core.desk_scene import SYMBOL, Scene
from trading_orchestrator.brokers.port import NewOrder, NoAnswer, OrdType, Side, VenueStatus
from trading_orchestrator.market.port import Quote
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.orders import answers
from trading_orchestrator.trading.risk.check import check, reserved_notional
from trading_orchestrator.trading.risk.limits import RiskLimits

QUOTE = Quote(
    SYMBOL, bid_px=Decimal("9.9"), bid_qty=Decimal(1), ask_px=Decimal(10), ask_qty=Decimal(1), at_ns=0, received_ns=0
)
LIMITS = RiskLimits(
    max_order_qty=Decimal(20),
    max_order_notional=Decimal(150),
    max_position_qty=Decimal(30),
    max_open_orders=3,
    price_collar_ratio=Decimal("0.1"),
    max_orders_per_s=2,
)
ORDER = NewOrder("x", SYMBOL, Side.BUY, OrdType.LIMIT, order_qty=Decimal(10), px=Decimal(10))


def rule(scene: Scene, order: NewOrder, quote: Quote | None = QUOTE, later_s: int = 10) -> str | None:
    now_ns = scene.journal.now_ns + later_s * 1_000_000_000
    refusal = check(order, scene.journal.book, quote, LIMITS, now_ns)
    return None if refusal is None else refusal.rule


@pytest.mark.parametrize(
    ("expected", "order"),
    [
        (None, ORDER),
        (None, replace(ORDER, order_qty=Decimal(15))),
        ("risk.max_order_notional", replace(ORDER, order_qty=Decimal("15.01"))),
        (None, replace(ORDER, order_qty=Decimal(20), px=Decimal(7))),
        ("risk.max_order_qty", replace(ORDER, order_qty=Decimal("20.01"), px=Decimal(7))),
        (None, replace(ORDER, px=Decimal(11))),
        ("risk.price_collar", replace(ORDER, px=Decimal("11.01"))),
        (None, replace(ORDER, side=Side.SELL, px=Decimal("8.91"))),
        ("risk.price_collar", replace(ORDER, side=Side.SELL, px=Decimal("8.90"))),
        ("risk.order_qty", replace(ORDER, order_qty=Decimal(0))),
        ("risk.px", replace(ORDER, px=None)),
        *(("risk.order_qty", replace(ORDER, order_qty=Decimal(bad))) for bad in ("nan", "snan", "inf", "-inf")),
        *(("risk.px", replace(ORDER, px=Decimal(bad))) for bad in ("nan", "snan", "inf", "-inf")),
        ("risk.px", replace(ORDER, ord_type=OrdType.MARKET, px=Decimal("nan"))),
        (None, replace(ORDER, ord_type=OrdType.MARKET, px=None)),
        ("risk.max_order_notional", replace(ORDER, ord_type=OrdType.MARKET, px=None, order_qty=Decimal(16))),
    ],
)
def test_one_order_alone(expected: str | None, order: NewOrder) -> None:
    assert expected == rule(Scene(), order)


def test_without_a_quote_nothing_passes() -> None:
    assert "risk.no_quote" == rule(Scene(), ORDER, quote=None)


def test_position_counts_everything_that_may_still_fill() -> None:
    scene = Scene()
    pending, doubted = scene.send("10"), scene.send("10")
    scene.journal.hear(lambda book, known: answers.of_submit_failure(book, doubted, NoAnswer("time-out")))
    assert None is rule(scene, ORDER)
    assert "risk.max_position_qty" == rule(scene, replace(ORDER, order_qty=Decimal("10.01")))
    assert None is rule(scene, replace(ORDER, side=Side.SELL, order_qty=Decimal(15))), "the other side has its own room"

    scene.hear(scene.trade(pending, "t1", "10"))
    assert "risk.max_position_qty" == rule(scene, replace(ORDER, order_qty=Decimal("10.01"))), "filled or not: the same"
    scene.journal.hear(lambda book, known: answers.of_absence_proof(book, doubted, ["asked"]))
    assert None is rule(scene, replace(ORDER, order_qty=Decimal(15)))


def test_a_short_is_limited_like_a_long() -> None:
    scene = Scene()
    for _ in range(2):
        scene.send("10", side=Side.SELL)

    assert "risk.max_position_qty" == rule(scene, replace(ORDER, side=Side.SELL, order_qty=Decimal("10.01")))


def test_open_orders_are_counted_until_they_close() -> None:
    scene = Scene()
    ids = [scene.send("1") for _ in range(3)]
    assert "risk.max_open_orders" == rule(scene, ORDER)

    scene.hear(scene.report(ids[0], VenueStatus.CANCELED, order_qty=Decimal(1)))
    assert None is rule(scene, ORDER)


def test_orders_a_second_are_counted_from_the_decision() -> None:
    scene = Scene()
    for cl in (scene.send("1"), scene.send("1")):
        scene.hear(scene.report(cl, VenueStatus.CANCELED, order_qty=Decimal(1)))
    since_decided_s = 2  # each report took a second

    assert "risk.max_orders_per_s" == rule(scene, ORDER, later_s=-since_decided_s)
    assert None is rule(scene, ORDER, later_s=1 - since_decided_s)


def test_a_desk_that_reduces_takes_only_what_leads_to_flat() -> None:
    scene = Scene()
    scene.hear(scene.trade(scene.send("10"), "t1", "10"))
    scene.journal.record(f.DeskModeChanged(mode="reduce_only", by="op", reason="test"))

    assert "risk.mode" == rule(scene, ORDER)
    assert None is rule(scene, replace(ORDER, side=Side.SELL))
    assert "risk.mode" == rule(scene, replace(ORDER, side=Side.SELL, order_qty=Decimal("10.01")))
    scene.send("5", side=Side.SELL)
    assert "risk.mode" == rule(scene, replace(ORDER, side=Side.SELL, order_qty=Decimal("5.01")))


def test_a_halted_desk_and_a_blocked_symbol_take_nothing() -> None:
    scene = Scene()
    scene.journal.record(f.SymbolBlocked(symbol=SYMBOL, code="order.overfilled", text=""))
    assert "risk.symbol_blocked" == rule(scene, ORDER)
    scene.journal.record(f.SymbolReleased(symbol=SYMBOL, by="op", reason="seen"))
    assert None is rule(scene, ORDER)
    scene.journal.record(f.DeskModeChanged(mode="halted", by="op", reason="test"))
    assert "risk.mode" == rule(scene, ORDER)


def test_a_market_order_reserves_at_the_far_side_of_the_book() -> None:
    market = replace(ORDER, ord_type=OrdType.MARKET, px=None)

    assert Decimal(100) == reserved_notional(market, QUOTE)
    assert Decimal(99) == reserved_notional(replace(market, side=Side.SELL), QUOTE)
