"""F5-F7: "not found" is no absence while a request may still arrive or a replica may lag."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.faults.scene import GRACE_S, RESTING_PX, SOON_S, Scene


async def test_f05_an_order_that_arrives_after_it_was_not_found(scene: Scene) -> None:
    scene.venue.fault("F12", times=1000)
    scene.venue.fault("F5", delay_ms=650)
    await scene.open(px=RESTING_PX)
    scene.tick()

    await scene.until(scene.accepted, what="the late arrival")
    await scene.judge()

    (doubted,) = scene.facts("order.doubted")
    assert doubted.at_ns / 1e6 < scene.accepted()[0]["at_ms"]
    assert ["new"] == await scene.settled()


async def test_f05_an_order_that_arrives_outside_its_window_is_abandoned(scene: Scene) -> None:
    scene.venue.fault("F5", delay_ms=1100)
    await scene.open(px=RESTING_PX)
    scene.tick()

    await scene.until(lambda: "order.abandoned" in scene.kinds(), what="the proof", within_s=GRACE_S + 3)
    await scene.judge()

    (refused,) = scene.venue.log("request.refused")
    assert -1021 == refused["code"]
    assert refused["at_ms"] < scene.facts("order.abandoned")[0].at_ns / 1e6


@pytest.mark.parametrize("px", [RESTING_PX, None], ids=["resting", "filled"])
async def test_f06_queries_by_id_say_not_found_for_a_while(scene: Scene, px: str | None) -> None:
    scene.venue.fault("F12", times=1000)
    scene.venue.fault("F1")
    scene.venue.fault("F6", for_s=1.2)
    await scene.open(px=px)
    scene.tick()

    await scene.until(scene.accepted, what="an order at the venue")
    await scene.judge(within_s=1.2 + SOON_S)

    assert ["new" if px else "filled"] == await scene.settled()


@pytest.mark.parametrize("px", [RESTING_PX, None], ids=["resting", "filled"])
async def test_f06_queries_by_id_say_not_found_longer_than_our_patience(scene: Scene, px: str | None) -> None:
    """What else shows the order outweighs any number of not-founds: the open orders, or a trade nobody else made."""
    scene.venue.fault("F12", times=1000)
    scene.venue.fault("F1")
    scene.venue.fault("F6", for_s=3.5)
    await scene.open(px=px)
    scene.tick()

    await scene.until(scene.accepted, what="an order at the venue")
    await scene.judge(within_s=3.5 + SOON_S)

    assert ["new" if px else "filled"] == await scene.settled()


@pytest.mark.parametrize("px", [RESTING_PX, None], ids=["resting", "filled"])
async def test_f07_the_status_endpoint_is_down(scene: Scene, px: str | None) -> None:
    scene.venue.fault("F12", times=1000)
    scene.venue.fault("F1")
    scene.venue.fault("F7", times=10_000)
    await scene.open(px=px, settings={"poll_orders_s": 9.0})
    scene.tick()
    await scene.until(scene.accepted, what="an order at the venue")

    await asyncio.sleep(GRACE_S + 1.5)  # longer than it would take to prove an absence
    assert ["unknown"] == await scene.states()
    scene.venue.control("DELETE", "faults")

    await scene.judge()
    assert ["new" if px else "filled"] == await scene.settled()
