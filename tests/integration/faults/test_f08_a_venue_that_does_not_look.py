"""F8: a rate limit, a ban, a clock: nothing was accepted, nothing leaves before its time, then it goes on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.faults.scene import RESTING_PX, Scene

CANCEL_BID = "1.12000"


@pytest.mark.parametrize(
    ("extra", "pause_ms"),
    [
        ({"retry_after_s": 1}, 1000),
        ({"status": 418, "retry_after_s": 2}, 2000),
        ({"code": -1021}, 1000),
        ({"status": 429, "code": -1015, "retry_after_s": 1}, 1000),
    ],
    ids=["429", "418", "-1021", "-1015"],
)
async def test_f08_no_order_leaves_before_the_venue_listens_again(
    scene: Scene, extra: dict[str, Any], pause_ms: int
) -> None:
    scene.venue.fault("F8", call="order.place", **extra)
    await scene.open(px=RESTING_PX, orders=2)
    scene.tick()
    await scene.until(lambda: "order.refused" in scene.kinds(), what="the first order's refusal")

    def second_order() -> object:
        scene.tick()  # the strategy would send one with every quote
        return scene.accepted()

    await scene.until(second_order, what="an order after the pause", within_s=pause_ms / 1000 + 2)
    await scene.judge()

    (struck,) = scene.venue.log("fault.acted")
    assert scene.accepted()[0]["at_ms"] - struck["at_ms"] >= pause_ms
    assert ["rejected", "new"] == await scene.states()
    assert 2 == scene.kinds().count("order.intended")


async def test_f08_a_cancel_passes_a_limit_that_is_on_orders_alone(scene: Scene) -> None:
    await scene.open(px=RESTING_PX, orders=2, cancel_at_bid=CANCEL_BID)
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="the order rests")
    scene.venue.fault("F8", call="order.place", status=429, code=-1015, retry_after_s=30)
    scene.tick()
    await scene.until(lambda: "order.refused" in scene.kinds(), what="the refusal of the second order")

    scene.tick(bid=CANCEL_BID)
    await scene.until(lambda: scene.venue.log("order.canceled"), what="the cancel")
    await scene.judge()

    assert ["canceled", "rejected"] == await scene.states()


async def test_f08_a_cancel_that_met_a_ban_leaves_at_its_end(scene: Scene) -> None:
    await scene.open(px=RESTING_PX, cancel_at_bid=CANCEL_BID)
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="the order rests")
    scene.venue.fault("F8", call="order.cancel", status=418, retry_after_s=1)

    scene.tick(bid=CANCEL_BID)
    await scene.until(lambda: scene.venue.log("order.canceled"), what="the cancel", within_s=3)
    await scene.judge()

    (banned,), (canceled,) = scene.venue.log("fault.acted"), scene.venue.log("order.canceled")
    assert canceled["at_ms"] - banned["at_ms"] >= 1000
    assert (["canceled"], 1) == (await scene.states(), scene.kinds().count("cancel.intended"))
