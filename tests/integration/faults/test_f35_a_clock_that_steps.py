"""F35: the wall clock steps by an hour, drifts, or changes to summer time: no order is lost, doubled or abandoned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.faults.desk_child import DeskChild
from tests.integration.faults.injectors import SteppingClock, offset_in, zone_that_changes
from tests.integration.faults.scene import Scene

HOUR_S = 3600
MEASURED = {"clock_offset_every_s": 0.5}
QUICK_PPM = 200_000
TOO_FAR_S = 1.0
"""A request that is stamped so far off is refused by the venue: it is valid for 0.8 s."""


@pytest.mark.parametrize("step_s", [HOUR_S, -HOUR_S], ids=["ahead", "back"])
async def test_f35_a_step_of_an_hour_costs_a_pause_and_nothing_else(scene: Scene, tmp_path: Path, step_s: int) -> None:
    clock = SteppingClock(tmp_path)
    with DeskChild(scene, "stepped", environ=clock.environ, settings=MEASURED) as child:
        await scene.until(scene.moving(lambda: len(scene.accepted()) > 10), what="orders", within_s=20.0)
        clock.step(step_s)
        await scene.until(scene.moving(lambda: stamped_off(scene, step_s)), what="facts stamped by the stepped clock")
        after_step = len(scene.accepted())
        await scene.until(
            scene.moving(lambda: len(scene.accepted()) > after_step + 5),
            what="trading on the stepped clock",
            within_s=6.0,
        )
        clock.step(0)
        after_return = len(scene.accepted())
        await scene.until(
            scene.moving(lambda: len(scene.accepted()) > after_return + 5), what="trading on the true one", within_s=6.0
        )
        assert child.ended() is None
        child.kill()

    await scene.open(settings={"strategies": []})
    await scene.judge(within_s=6.0)
    given_up = scene.facts("order.abandoned", "order.quarantined", "symbol.blocked")
    assert [] == [fact for fact in given_up if fact.node == "stepped"]  # its kill may leave an order that never left


@pytest.mark.parametrize("ppm", [QUICK_PPM, -QUICK_PPM], ids=["fast", "slow"])
async def test_f35_a_clock_that_drifts_is_measured_again_and_again(scene: Scene, tmp_path: Path, ppm: int) -> None:
    clock = SteppingClock(tmp_path)
    with DeskChild(scene, "drifting", environ=clock.environ, settings=MEASURED) as child:
        await scene.until(scene.moving(lambda: len(scene.accepted()) > 10), what="orders", within_s=20.0)
        clock.drift(ppm)
        await scene.until(scene.moving(lambda: abs(off_s(scene)) > TOO_FAR_S), what="the drift", within_s=30.0)
        drifted = len(scene.accepted())
        await scene.until(
            scene.moving(lambda: len(scene.accepted()) > drifted + 5), what="trading on that clock", within_s=20.0
        )
        child.must_live()
        child.kill()

    await scene.open(settings={"strategies": []})
    await scene.judge(within_s=20.0)
    # The kill may come between an intent and its sending: that order never came, and is proved to be nowhere.
    nowhere = {fact.body["cl_ord_id"] for fact in scene.facts("order.abandoned")}
    assert set() == nowhere & {order["client_order_id"] for order in scene.accepted()}
    assert [] == scene.facts("order.quarantined", "symbol.blocked")


async def test_f35_summer_time_begins_and_nothing_happens(scene: Scene) -> None:
    """Facts, deadlines and the trading day run by UTC; only what people read and who is on call have a zone."""
    zone = zone_that_changes(6)
    assert "+0000" == offset_in(zone)
    with DeskChild(scene, "local", environ={"TZ": zone}) as child:
        await scene.until(scene.moving(lambda: len(scene.accepted()) > 5), what="orders", within_s=20.0)
        await scene.until(scene.moving(lambda: "+0100" == offset_in(zone)), what="summer time", within_s=10.0)
        before = len(scene.accepted())
        await scene.until(scene.moving(lambda: len(scene.accepted()) > before + 20), what="orders", within_s=10.0)
        child.must_live()
        child.kill()
    times_s = [fact.at_ns / 1e9 for fact in scene.facts() if fact.node == "local"]
    assert max(times_s) - min(times_s) < HOUR_S / 2

    await scene.open(settings={"strategies": []})
    await scene.judge(within_s=6.0)


async def test_f35_no_desk_starts_on_a_clock_that_is_an_hour_off(scene: Scene, tmp_path: Path) -> None:
    clock = SteppingClock(tmp_path)
    clock.step(HOUR_S)
    with DeskChild(scene, "stepped", environ=clock.environ) as child:
        await scene.until(lambda: child.ended() is not None, what="the start refused", within_s=10.0)

        assert ["desk.clock_off"] == [said["code"] for said in child.said("error")]
    assert [] == scene.facts("order.intended")


def stamped_off(scene: Scene, step_s: int) -> bool:
    """Return whether the journal holds facts of both clocks."""
    times = [fact.at_ns / 1e9 for fact in scene.facts() if fact.node == "stepped"]
    return max(times) - min(times) > abs(step_s) / 2


def off_s(scene: Scene) -> float:
    """Return how far the newest order's intent is off the venue's clock when it took the order."""
    taken = {order["client_order_id"]: order["at_ms"] / 1e3 for order in scene.accepted()}
    for fact in reversed(scene.facts("order.intended")):
        if fact.node == "drifting" and (at_s := taken.get(fact.body["order"]["cl_ord_id"])):
            return fact.at_ns / 1e9 - float(at_s)
    return 0.0
