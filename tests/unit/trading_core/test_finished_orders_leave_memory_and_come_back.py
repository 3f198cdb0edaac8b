"""Memory holds open orders and a few finished ones; late evidence brings an order back from its row."""

from __future__ import annotations

from decimal import Decimal

from tests.unit.trading_core.desk_scene import SYMBOL, Scene
from trading_orchestrator.brokers.port import VenueStatus
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.orders import evidence
from trading_orchestrator.trading.orders.client_id import request_id
from trading_orchestrator.trading.orders.edge import OrdStatus, ord_status
from trading_orchestrator.trading.orders.finding import Ask
from trading_orchestrator.trading.orders.life import At
from trading_orchestrator.trading.orders.shelf import LINGER
from trading_orchestrator.trading.state import RECENT_TRADES


def canceled(scene: Scene, count: int) -> list[str]:
    ids = [scene.send() for _ in range(count)]
    for cl in ids:
        scene.hear(scene.report(cl, VenueStatus.CANCELED))
    return ids


def test_only_the_last_finished_orders_linger() -> None:
    scene = Scene()
    live = scene.send()
    ids = canceled(scene, LINGER + 50)

    assert LINGER + 1 == len(scene.journal.book.orders())
    assert scene.journal.book.order(ids[0]) is None
    assert scene.journal.book.order(ids[-1]) is not None
    assert At.PENDING_NEW is scene.order(live).status
    assert Decimal(10) == scene.journal.book.exposure(SYMBOL).buy_qty


def test_a_late_trade_revives_its_order_and_is_booked_on_it() -> None:
    scene = Scene()
    first = canceled(scene, LINGER + 1)[0]
    scene.hear(scene.trade(first, "t1", "4"))

    assert (OrdStatus.CANCELED, Decimal(4)) == (ord_status(scene.order(first)), scene.order(first).cum_qty)
    assert Decimal(4) == scene.journal.book.position(SYMBOL).qty
    assert ["order.revived", "trade.booked", "order.flagged"] == scene.kinds()[-3:]
    scene.journal.crash()
    assert Decimal(4) == scene.order(first).cum_qty


def test_a_late_trade_that_names_only_the_venues_id_finds_its_order() -> None:
    scene = Scene()
    first = canceled(scene, LINGER + 1)[0]
    scene.hear(scene.trade(first, "t1", "4", cl_ord_id=""))

    assert Decimal(4) == scene.order(first).cum_qty


def test_a_late_frame_under_the_id_of_a_decided_cancel_still_finds_the_order() -> None:
    scene = Scene()
    cl = scene.send()
    made = request_id(cl, 1)
    scene.journal.record(f.CancelIntended(cl_ord_id=cl, request_id=made))
    pending = scene.report(made, VenueStatus.PENDING_CANCEL, venue_order_id=f"V-{cl}")
    scene.hear(scene.report(cl, VenueStatus.CANCELED))
    before = scene.kinds()
    scene.hear(pending)
    scene.journal.crash()
    scene.hear(pending)

    assert before == scene.kinds()
    assert At.CANCELED is scene.order(cl).status


def test_a_trade_too_old_to_remember_is_looked_up_before_it_is_booked() -> None:
    scene = Scene()
    cl = scene.send(qty="100000")
    oldest = scene.trade(cl, "t0", "1")
    scene.hear(oldest)
    for number in range(RECENT_TRADES):
        scene.hear(scene.trade(cl, f"n{number}", "1"))
    book = scene.journal.book

    assert book.is_booked(oldest) is None
    assert (Ask("trades", f"case/{SYMBOL}/t0"),) == evidence.of_trade(book, oldest, source="poll").asks
    cum_qty = scene.order(cl).cum_qty
    scene.hear(oldest)
    assert cum_qty == scene.order(cl).cum_qty
    scene.hear(scene.trade(cl, "never told", "1", at_ns=oldest.at_ns - 1))
    assert cum_qty + 1 == scene.order(cl).cum_qty


def test_a_snapshot_holds_what_lingers_in_the_same_order() -> None:
    scene = Scene()
    canceled(scene, LINGER - 1)
    copy = Book.from_snapshot(scene.journal.book.to_snapshot())
    canceled(scene, 3)
    for fact in scene.journal.facts:
        copy.apply_fact(fact)

    assert scene.journal.book.to_snapshot() == copy.to_snapshot()
