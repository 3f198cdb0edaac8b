"""F36: a venue that reissues its order ids does not move a trade to the order that once had the id."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from tests.unit.trading_core.desk_scene import SYMBOL, Scene
from trading_orchestrator.brokers.port import Side, VenueStatus
from trading_orchestrator.trading import facts as f

ID = "7"


@pytest.fixture
def scene() -> Scene:
    return Scene()


def ended(scene: Scene, status: VenueStatus = VenueStatus.FILLED, qty: str = "10") -> str:
    """Return an order that ended with the venue id 7, `qty` of 10 traded."""
    old = scene.send()
    scene.hear(scene.report(old, VenueStatus.NEW, venue_order_id=ID))
    scene.hear(scene.trade(old, "t1", qty, venue_order_id=ID))
    if status is not VenueStatus.FILLED:
        scene.hear(scene.report(old, status, venue_order_id=ID, cum_qty=Decimal(qty)))
    return old


def venue_finds(scene: Scene, cl: str, **more: object) -> list[str]:
    """Let the venue answer a question for this order; return what was asked."""
    asked: list[str] = []

    def answer(key: str) -> None:
        asked.append(key)
        if key == cl:
            scene.hear(scene.report(cl, VenueStatus.FILLED, venue_order_id=ID, cum_qty=Decimal(10), **more))

    scene.journal.ask_venue = answer
    return asked


def owner(scene: Scene, trade_id: str) -> str:
    kinds = {"trade.booked": f.TradeBooked, "trade.attributed": f.TradeAttributed}
    bodies = [
        msgspec.json.decode(fact.body, type=kinds[fact.kind]) for fact in scene.journal.facts if fact.kind in kinds
    ]
    owners = {each.cl_ord_id for each in bodies if each.trade.trade_id == trade_id}
    return max(owners, default="")


@pytest.mark.parametrize("status", [VenueStatus.FILLED, VenueStatus.CANCELED])
def test_an_order_whose_answer_was_lost_is_asked_for_before_an_ended_one_gets_the_trade(
    scene: Scene, status: VenueStatus
) -> None:
    old = ended(scene, status, "4" if status is VenueStatus.CANCELED else "10")
    new = scene.send(strategy="other")
    asked = venue_finds(scene, new)

    scene.hear(scene.trade("", "t2", "6", venue_order_id=ID))

    assert ([new], new) == (asked, owner(scene, "t2"))
    assert Decimal(4 if status is VenueStatus.CANCELED else 10) == scene.order(old).cum_qty


def test_a_trade_that_the_ended_order_cannot_have_made_waits_for_its_owner(scene: Scene) -> None:
    old = ended(scene)
    new = scene.send(strategy="other")
    venue_finds(scene, "nobody")
    trade = scene.trade("", "t2", venue_order_id=ID)

    scene.hear(trade)
    assert ("", Decimal(0)) == (owner(scene, "t2"), scene.order(old).overfilled_qty)
    venue_finds(scene, new)
    scene.hear(trade)

    assert (new, Decimal(10)) == (owner(scene, "t2"), scene.order(new).cum_qty)
    assert "symbol.blocked" not in scene.kinds()


def test_a_trade_on_the_other_side_is_never_the_ended_orders(scene: Scene) -> None:
    ended(scene, VenueStatus.CANCELED, "4")
    scene.send(side=Side.SELL, strategy="other")
    venue_finds(scene, "nobody")

    scene.hear(scene.trade("", "t2", "2", venue_order_id=ID, side=Side.SELL))

    assert "" == owner(scene, "t2")


def test_without_another_order_in_question_a_late_fill_is_booked_to_the_ended_one(scene: Scene) -> None:
    old = ended(scene, VenueStatus.CANCELED, "4")

    scene.hear(scene.trade("", "t2", "2", venue_order_id=ID))

    assert (old, Decimal(6)) == (owner(scene, "t2"), scene.order(old).cum_qty)


def test_the_newer_order_keeps_the_id_whatever_is_still_told_of_the_older_one(scene: Scene) -> None:
    old = ended(scene, VenueStatus.CANCELED, "4")
    new = scene.send(strategy="other")
    scene.hear(scene.report(new, VenueStatus.NEW, venue_order_id=ID))
    scene.hear(scene.trade(old, "t3", "1", venue_order_id=ID))

    found = scene.journal.book.find_order(symbol=scene.order(new).symbol, cl_ord_id="", venue_order_id=ID)

    assert found is not None
    assert (new, Decimal(5)) == (found.cl_ord_id, scene.order(old).cum_qty)


def test_a_human_who_names_his_next_order_like_his_last_has_two_orders(scene: Scene) -> None:
    """Binance takes a client id again as soon as its order is closed."""
    scene.hear(scene.report("web_1", VenueStatus.NEW, venue_order_id="7"))
    scene.hear(scene.trade("web_1", "t1", "4", venue_order_id="7"))
    scene.hear(scene.report("web_1", VenueStatus.CANCELED, venue_order_id="7", cum_qty=Decimal(4)))
    assert Decimal(0) == scene.journal.book.exposure(SYMBOL).buy_qty

    scene.hear(scene.report("web_1", VenueStatus.NEW, venue_order_id="8"))

    assert Decimal(10) == scene.journal.book.exposure(SYMBOL).buy_qty
    assert Decimal(4) == scene.journal.book.position(SYMBOL).qty
    scene.hear(scene.trade("web_1", "t2", "10", venue_order_id="8"))
    assert Decimal(14) == scene.journal.book.position(SYMBOL).qty
    assert "order.flagged" not in scene.kinds()
    scene.journal.crash()
