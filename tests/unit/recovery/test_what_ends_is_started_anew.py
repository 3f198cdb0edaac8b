"""A supervisor starts anew what ends, knows when that is too often, and says so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import pytest

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.supervisor import ComponentUnknown, Ended, Restart, RestartRule, Supervisor


class Part:
    """Writes down when it runs and ends; fails as often as told, each time after `lives_s`."""

    def __init__(
        self,
        name: str,
        scene: Scene,
        *,
        depends_on: Sequence[str] = (),
        failures: int = 0,
        lives_s: float = 0.0,
    ) -> None:
        self.name = name
        self.depends_on = depends_on
        self._scene = scene
        self._failures = failures
        self._lives_s = lives_s

    def health(self) -> Health:
        return Health(HealthState.HEALTHY, "runs")

    async def run(self) -> None:
        self._scene.diary.append(f"{self.name} runs")
        try:
            if self._failures:
                self._failures -= 1
                await self._scene.clock.sleep(self._lives_s)
                raise RuntimeError("lost its way")
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self._scene.diary.append(f"{self.name} ends")
            raise


class Scene:
    """A supervisor on a virtual clock."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.diary: list[str] = []
        self.told: list[Ended] = []
        self.supervisor = Supervisor(self.clock, tell=self.told.append)

    async def pass_time(self, seconds: int) -> None:
        """In small steps: ending others takes more turns of the loop than one step grants."""
        for _ in range(10 * seconds):
            await self.clock.advance(0.1)

    async def stop(self) -> None:
        for name in reversed(self.supervisor.children):
            await self.supervisor.stop(name)


async def test_an_end_is_told_and_the_wait_grows() -> None:
    scene = Scene()
    child = scene.supervisor.add(Part("feed", scene, failures=2))

    scene.supervisor.start("feed")
    await scene.clock.advance(0.1)
    first = child.health()
    await scene.clock.advance(0.5)
    second = child.health()
    await scene.clock.advance(1.0)

    assert Health(HealthState.UNHEALTHY, "ended with RuntimeError: lost its way; started anew in 0.5 s") == first
    assert "ended with RuntimeError: lost its way; started anew in 1 s" == second.reason
    assert HealthState.HEALTHY is child.health().state
    assert 2 == child.restarts
    assert [(1, False), (2, False)] == [(ended.ends_in_row, ended.over_budget) for ended in scene.told]
    await scene.stop()
    assert ["feed runs", "feed runs", "feed runs", "feed ends"] == scene.diary


async def test_a_crash_loop_is_told_and_tried_on_at_the_cap() -> None:
    scene = Scene()
    rule = RestartRule(restarts_max=3, within_s=60, first_wait_s=0.1, longest_wait_s=30)
    child = scene.supervisor.add(Part("feed", scene, failures=6), rule)

    scene.supervisor.start("feed")
    await scene.clock.advance(100)

    assert [False, False, False, True, True, True] == [ended.over_budget for ended in scene.told]
    assert [0.1, 0.2, 0.4, 30.0, 30.0, 30.0] == [ended.wait_s for ended in scene.told]
    assert HealthState.HEALTHY is child.health().state
    await scene.stop()


async def test_a_steady_run_forgives() -> None:
    scene = Scene()
    rule = RestartRule(restarts_max=1, within_s=60, first_wait_s=1)
    scene.supervisor.add(Part("feed", scene, failures=4, lives_s=61), rule)

    scene.supervisor.start("feed")
    await scene.clock.advance(500)

    assert [(1, False)] * 4 == [(ended.ends_in_row, ended.over_budget) for ended in scene.told]
    await scene.stop()


async def test_rest_for_one_restarts_what_depends_on_it_and_nothing_else() -> None:
    scene = Scene()
    ground = Part("ground", scene, failures=1, lives_s=1)
    scene.supervisor.add(ground, RestartRule(restart=Restart.REST_FOR_ONE, first_wait_s=1))
    scene.supervisor.add(Part("wall", scene, depends_on=["ground"]))
    scene.supervisor.add(Part("roof", scene, depends_on=["wall"]))
    scene.supervisor.add(Part("tree", scene))
    for name in scene.supervisor.children:
        scene.supervisor.start(name)

    await scene.pass_time(5)

    started = ["ground runs", "wall runs", "roof runs", "tree runs"]
    assert [*started, "roof ends", "wall ends", "ground runs", "wall runs", "roof runs"] == scene.diary
    assert ("wall", "roof") == scene.told[0].restarts_with_it
    await scene.stop()


async def test_what_was_stopped_is_not_started_with_the_rest() -> None:
    scene = Scene()
    scene.supervisor.add(Part("ground", scene, failures=1), RestartRule(restart=Restart.REST_FOR_ONE))
    scene.supervisor.add(Part("wall", scene, depends_on=["ground"]))

    scene.supervisor.start("ground")
    await scene.pass_time(5)

    assert ["ground runs", "ground runs"] == scene.diary
    await scene.stop()


async def test_a_restart_asked_for_during_the_wait_brings_the_rest_back_too() -> None:
    scene = Scene()
    rule = RestartRule(restart=Restart.REST_FOR_ONE, first_wait_s=10)
    scene.supervisor.add(Part("ground", scene, failures=1), rule)
    wall = scene.supervisor.add(Part("wall", scene, depends_on=["ground"]))
    for name in scene.supervisor.children:
        scene.supervisor.start(name)
    await scene.pass_time(1)
    assert Health(HealthState.STOPPED, "waits for what it depends on") == wall.health()

    await scene.supervisor.restart("ground")
    await scene.pass_time(1)

    assert "runs" == wall.health().reason
    assert ["ground runs", "wall runs"] == scene.diary[-2:]
    await scene.stop()


async def test_a_stop_during_the_wait_brings_the_rest_back() -> None:
    scene = Scene()
    rule = RestartRule(restart=Restart.REST_FOR_ONE, first_wait_s=10)
    scene.supervisor.add(Part("ground", scene, failures=1), rule)
    wall = scene.supervisor.add(Part("wall", scene, depends_on=["ground"]))
    for name in scene.supervisor.children:
        scene.supervisor.start(name)
    await scene.pass_time(1)

    await scene.supervisor.stop("ground")

    assert "runs" == wall.health().reason
    await scene.stop()


async def test_two_that_end_one_after_the_other_lose_no_third() -> None:
    scene = Scene()
    rule = RestartRule(restart=Restart.REST_FOR_ONE, first_wait_s=5)
    scene.supervisor.add(Part("ground", scene, failures=1, lives_s=1), rule)
    scene.supervisor.add(Part("wall", scene, depends_on=["ground"], failures=1), rule)
    roof = scene.supervisor.add(Part("roof", scene, depends_on=["wall"]))
    for name in scene.supervisor.children:
        scene.supervisor.start(name)

    await scene.pass_time(20)

    assert "runs" == roof.health().reason
    assert ["ground runs", "wall runs", "roof runs"] == scene.diary[-3:]
    await scene.stop()


async def test_a_cancelled_error_that_leaked_is_an_end_like_any_other() -> None:
    scene = Scene()
    feed = Part("feed", scene)
    endless = feed.run

    async def leak() -> None:
        feed.run = endless  # type: ignore[method-assign]
        closed = asyncio.get_running_loop().create_future()
        closed.cancel()
        await closed

    feed.run = leak  # type: ignore[method-assign]
    child = scene.supervisor.add(feed)
    scene.supervisor.start("feed")
    await scene.pass_time(2)

    said = "ended with CancelledError: something that it waited for was cancelled"
    assert [said] == [ended.reason for ended in scene.told]
    assert "runs" == child.health().reason
    await scene.stop()
    assert ["feed runs", "feed ends"] == scene.diary


async def test_a_part_that_makes_something_else_of_being_stopped_stays_stopped() -> None:
    scene = Scene()
    feed = Part("feed", scene)

    async def swallow() -> None:
        scene.diary.append("feed runs")
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    feed.run = swallow  # type: ignore[method-assign]
    scene.supervisor.add(feed)
    scene.supervisor.start("feed")
    await scene.pass_time(1)
    await scene.supervisor.stop("feed")
    await scene.pass_time(5)

    assert ["feed runs"] == scene.diary
    assert [] == scene.told


async def test_who_cannot_be_told_stops_no_restart() -> None:
    scene = Scene()

    def tell(ended: Ended) -> None:
        raise ValueError("the journal is closed")

    scene.supervisor = Supervisor(scene.clock, tell=tell)
    child = scene.supervisor.add(Part("feed", scene, failures=1))
    scene.supervisor.start("feed")
    await scene.pass_time(2)

    assert "runs" == child.health().reason
    await scene.stop()


async def test_an_asked_restart_is_at_once_and_gives_a_new_budget() -> None:
    scene = Scene()
    child = scene.supervisor.add(Part("feed", scene, failures=3), RestartRule(restarts_max=1, first_wait_s=1))
    scene.supervisor.start("feed")
    await scene.clock.advance(2)
    spent = child.over_budget

    await scene.supervisor.restart("feed")
    await scene.clock.advance(2)

    assert HealthState.HEALTHY is child.health().state
    assert (True, False) == (spent, child.over_budget)
    await scene.stop()


async def test_stopping_while_it_waits_leaves_nothing_behind() -> None:
    scene = Scene()
    scene.supervisor.add(Part("feed", scene, failures=1))
    scene.supervisor.start("feed")
    await scene.clock.advance(0.1)

    await scene.supervisor.remove("feed")
    await scene.clock.advance(60)

    assert ["feed runs"] == scene.diary
    assert {asyncio.current_task()} == asyncio.all_tasks()
    with pytest.raises(ComponentUnknown, match="no component is named 'feed'; supervised: nobody"):
        scene.supervisor.start("feed")
