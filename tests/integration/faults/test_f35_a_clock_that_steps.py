"""F35: the wall clock steps by an hour, either way, under a trading desk: no order is lost, doubled or abandoned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.faults.desk_child import DeskChild
from tests.integration.faults.injectors import SteppingClock
from tests.integration.faults.scene import Scene

HOUR_S = 3600
MEASURED = {"clock_offset_every_s": 0.5}


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
