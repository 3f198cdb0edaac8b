"""F17, F18: a cancel is a request; whatever becomes of it, the order ends as it ended at the venue."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.integration.desk.conftest import ACCOUNT
from tests.integration.faults.scene import RESTING_PX, Scene
from trading_orchestrator.trading.mode_requests import mode_requested

CANCEL_BID = "1.12000"


async def rest(scene: Scene, orders: int = 1) -> None:
    await scene.open(px=RESTING_PX, orders=orders, cancel_at_bid=CANCEL_BID)

    def all_rest() -> bool:
        scene.tick()
        return scene.kinds().count("order.accepted") == orders

    await scene.until(all_rest, what="the orders rest")


@pytest.mark.parametrize("effect", ["never_answer", "reset_after", "answer_error", "lose_request", "reset_before"])
async def test_f17_the_reply_or_the_request_is_lost(scene: Scene, effect: str) -> None:
    await rest(scene)
    scene.venue.fault("F17", effect=effect)
    scene.venue.fault("F12", times=100)

    scene.tick(bid=CANCEL_BID)
    await scene.until(lambda: scene.venue.log("order.canceled"), what="the cancel")
    await scene.judge()

    assert (["canceled"], 1) == (await scene.states(), scene.kinds().count("cancel.intended"))


async def test_f17_refused_because_it_is_filled(scene: Scene) -> None:
    await rest(scene)
    scene.venue.fault("F12", times=100)

    scene.cross()
    scene.tick(bid=CANCEL_BID)
    await scene.until(lambda: scene.venue.log("request.refused"), what="the refusal")
    await scene.judge()

    assert ["filled"] == await scene.states()


async def test_f17_refused_because_a_human_canceled_it(scene: Scene) -> None:
    await rest(scene)
    scene.venue.fault("F12", times=100)
    (order,) = scene.venue.account_state(ACCOUNT)["orders"]
    scene.venue.control("DELETE", f"orders/{order['orderId']}")

    scene.tick(bid=CANCEL_BID)
    await scene.until(lambda: scene.venue.log("request.refused"), what="the refusal")
    await scene.judge()

    assert ["canceled"] == await scene.states()


async def test_f17_never_asked_for_an_order_that_may_not_exist(scene: Scene) -> None:
    scene.venue.fault("F4")
    await scene.open(px=RESTING_PX, cancel_at_bid=CANCEL_BID)
    scene.tick()
    await scene.until(lambda: "order.doubted" in scene.kinds(), what="the doubt")

    scene.tick(bid=CANCEL_BID)
    await scene.until(lambda: "order.abandoned" in scene.kinds(), what="the proof", within_s=4)
    await scene.judge()

    assert ["abandoned"] == await scene.states()
    assert [] == [fact for fact in scene.venue.log("request.refused") if fact["call"] == "order.cancel"]


async def test_f18_a_fill_overtakes_the_cancel(scene: Scene) -> None:
    await rest(scene)
    scene.venue.fault("F18", delay_ms=250)

    scene.tick(bid=CANCEL_BID)
    await scene.until(lambda: scene.venue.log("fault.acted"), what="the cancel on its way")
    scene.cross()
    await scene.until(lambda: scene.venue.log("request.refused"), what="the refusal")
    await scene.judge()

    assert ["filled"] == await scene.states()


async def test_f18_a_part_fill_overtakes_the_cancel(scene: Scene) -> None:
    await rest(scene)
    scene.venue.fault("F18", delay_ms=250)

    scene.tick(bid=CANCEL_BID)
    await scene.until(lambda: scene.venue.log("fault.acted"), what="the cancel on its way")
    scene.cross(qty="4")
    await scene.until(lambda: scene.venue.log("order.canceled"), what="the cancel")
    await scene.judge()

    assert ["canceled"] == await scene.states()
    assert ["4"] == [row["cum_qty"] for row in await scene.rows("orders")]


async def test_f18_all_canceled_at_once_with_half_the_replies_lost(scene: Scene) -> None:
    await rest(scene, orders=10)
    scene.venue.fault("F17", probability=0.5)
    scene.venue.fault("F12", probability=0.5)

    scene.tick(bid=CANCEL_BID)
    await scene.until(lambda: len(scene.venue.log("order.canceled")) == 10, what="ten cancels")
    scene.venue.control("DELETE", "faults")
    await scene.judge()

    assert ["canceled"] * 10 == await scene.states()


async def test_f18_the_kill_switch_with_half_the_replies_lost(scene: Scene) -> None:
    await rest(scene, orders=10)
    scene.venue.fault("F17", probability=0.5)
    scene.venue.fault("F12", probability=0.5)

    request = mode_requested("paper", "killed", by="Ada", reason="a drill")
    await scene.store.append([request], node="operator", fence=None)
    await scene.until(lambda: len(scene.venue.log("order.canceled")) == 10, what="ten cancels", within_s=4)
    scene.venue.control("DELETE", "faults")
    await scene.until(lambda: "desk.kill_verified" in scene.kinds(), what="two looks that find nothing", within_s=4)
    await scene.judge()

    assert ["canceled"] * 10 == await scene.states()


async def test_f18_a_fill_overtakes_the_cancel_of_a_replace(scene: Scene) -> None:
    await scene.open(strategy="Mover", at_bid=CANCEL_BID, to_px="1.08")
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="the order rests")
    scene.venue.fault("F18", delay_ms=250)

    scene.tick(bid=CANCEL_BID)
    await scene.until(lambda: scene.venue.log("fault.acted"), what="the cancel on its way")
    scene.cross()
    await scene.until(lambda: scene.venue.log("request.refused"), what="the refusal")
    await scene.judge()

    assert (["filled"], 1) == (await scene.states(), len(scene.accepted()))


async def test_f18_a_part_fill_overtakes_the_cancel_of_a_replace(scene: Scene) -> None:
    """Only what remains is ordered anew: 6 of 10, on the new terms."""
    await scene.open(strategy="Mover", at_bid=CANCEL_BID, to_px="1.08")
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="the order rests")
    scene.venue.fault("F18", delay_ms=250)

    scene.tick(bid=CANCEL_BID)
    await scene.until(lambda: scene.venue.log("fault.acted"), what="the cancel on its way")
    scene.cross(qty="4")
    await scene.until(lambda: len(scene.accepted()) == 2, what="the new order", within_s=4)
    await scene.judge()

    assert ["canceled", "new"] == await scene.states()
    assert [10, 6] == [Decimal(order["qty"]) for order in scene.accepted()]
