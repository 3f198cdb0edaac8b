"""F11-F13: frames lost, doubled, late and overtaking: every trade is booked once, and soon."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.integration.faults.scene import RESTING_PX, Scene

ORDERS = 30


@pytest.mark.parametrize(
    "effects", [["drop_frame"], ["double_frame"], ["delay_frame"], ["drop_frame", "double_frame", "delay_frame"]]
)
async def test_f11_frames_of_thirty_fills(scene: Scene, effects: list[str]) -> None:
    for effect in effects:
        scene.venue.fault("F11", effect=effect, probability=0.4, delay_ms=150)
    await scene.open(orders=ORDERS)

    def all_sent() -> bool:
        scene.tick()
        return scene.kinds().count("order.intended") == ORDERS

    await scene.until(all_sent, what="thirty orders", within_s=5)
    await scene.judge()

    assert ["filled"] * ORDERS == await scene.states()
    assert Decimal(10 * ORDERS) == sum(Decimal(row["last_qty"]) for row in await scene.rows("trades"))


async def test_f12_one_fill_frame_lost_while_heartbeats_go_on(scene: Scene) -> None:
    await scene.open(px=RESTING_PX)
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="the order rests")
    scene.venue.fault("F12")

    scene.cross()
    await scene.judge()

    (booked,) = scene.facts("trade.booked")
    assert booked.body["source"] in ("poll", "query")
    assert (["filled"], 1) == (await scene.states(), len(scene.streams()))


async def test_f13_a_fill_before_its_ack(scene: Scene) -> None:
    scene.venue.fault("F13", delay_ms=300)
    await scene.open()
    scene.tick()

    await scene.until(lambda: scene.facts("trade.booked"), what="the fill")
    (booked,) = scene.facts("trade.booked")
    (struck,) = scene.venue.log("fault.acted")
    assert booked.at_ns / 1e6 < struck["at_ms"] + 300
    await scene.judge()

    assert (["filled"], 0) == (await scene.states(), scene.kinds().count("order.doubted"))


async def test_f13_a_fill_after_the_ack_of_its_cancel(scene: Scene) -> None:
    await scene.open(px=RESTING_PX, cancel_at_bid="1.12000")
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="the order rests")
    scene.venue.fault("F12", effect="delay_frame", delay_ms=500)

    scene.cross(qty="4")
    scene.tick(bid="1.12000")
    await scene.until(lambda: scene.venue.log("order.canceled"), what="the cancel")
    await scene.judge()

    assert ["canceled"] == await scene.states()
    assert ["4"] == [row["cum_qty"] for row in await scene.rows("orders")]


async def test_f13_a_fill_while_disconnected(scene: Scene) -> None:
    await scene.open(px=RESTING_PX)
    scene.tick()
    await scene.until(lambda: "order.accepted" in scene.kinds(), what="the order rests")
    scene.venue.fault("F24", call="user_stream.connect", times=6)
    scene.venue.control("POST", "streams/close", {"kind": "user", "reset": True})

    scene.cross()
    await scene.judge()

    assert ["filled"] == await scene.states()
