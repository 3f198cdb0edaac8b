"""F8: a rate limit, a ban, a clock: nothing was accepted, nothing leaves before its time, then it goes on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.faults.scene import RESTING_PX, Scene


@pytest.mark.parametrize(
    ("extra", "pause_ms"),
    [({"retry_after_s": 1}, 1000), ({"status": 418, "retry_after_s": 2}, 2000), ({"code": -1021}, 1000)],
    ids=["429", "418", "-1021"],
)
async def test_f08_no_order_leaves_before_the_venue_listens_again(
    scene: Scene, extra: dict[str, Any], pause_ms: int
) -> None:
    scene.venue.fault("F8", call="order.place", **extra)
    await scene.open(px=RESTING_PX, orders=2)

    def second_order() -> object:
        scene.tick()  # the strategy would send one with every quote
        return scene.accepted()

    await scene.until(second_order, what="an order after the pause", within_s=pause_ms / 1000 + 2)
    await scene.judge()

    (struck,) = scene.venue.log("fault.acted")
    assert scene.accepted()[0]["at_ms"] - struck["at_ms"] >= pause_ms
    assert ["rejected", "new"] == await scene.states()
    assert 2 == scene.kinds().count("order.intended")
