"""The manager starts parts after what they depend on, restarts what ends by itself, and stops in reverse."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.operations.empty_store import EmptyStore
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.supervisor import ComponentTaken
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.dependencies import DependencyUnknown
from trading_orchestrator.perpetual_operations.health.health_checker import ProbeTaken
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager


class Part:
    """A component that writes down when it runs and ends, and fails as often as told."""

    def __init__(self, name: str, diary: list[str], depends_on: Sequence[str] = (), failures: int = 0) -> None:
        self.name = name
        self.depends_on = depends_on
        self._diary = diary
        self._failures = failures

    def health(self) -> Health:
        return Health(HealthState.HEALTHY, "runs")

    async def run(self) -> None:
        self._diary.append(f"{self.name} runs")
        if self._failures:
            self._failures -= 1
            raise RuntimeError("lost its way")
        try:
            await asyncio.Event().wait()
        finally:
            self._diary.append(f"{self.name} ends")


def manager(tmp_path: Path) -> PerpetualOperationsManager:
    config = OperationsConfig(alerts=AlertsConfig(enabled=False))  # an empty store has no leases
    return PerpetualOperationsManager(config, store=EmptyStore(), clock=VirtualClock(), data_dir=tmp_path)


async def test_parts_start_by_dependency_and_stop_the_other_way_round(tmp_path: Path) -> None:
    diary: list[str] = []
    operations = manager(tmp_path)
    operations.register(Part("roof", diary, ["wall"]))
    operations.register(Part("wall", diary, ["ground"]))
    operations.register(Part("ground", diary, ["journal"]))

    await operations.start()
    await asyncio.sleep(0)
    await operations.stop()

    assert ["ground runs", "wall runs", "roof runs", "roof ends", "wall ends", "ground ends"] == diary


async def test_a_registered_part_is_watched_under_its_name(tmp_path: Path) -> None:
    operations = manager(tmp_path)
    operations.register(Part("ground", []))
    await operations.start()

    report = await operations.health.check()

    names = [part.name for part in report.parts]
    assert ("journal", "event_loop", "ground") == (names[0], names[1], names[-1])
    assert operations.is_running
    assert operations.status().sentence.startswith("Operations run: 12 parts.")
    await operations.stop()
    assert "Operations are stopped." == operations.status().sentence


async def test_a_part_can_come_while_the_others_run(tmp_path: Path) -> None:
    diary: list[str] = []
    operations = manager(tmp_path)
    await operations.start()

    operations.register(Part("late", diary, ["journal"]))
    await asyncio.sleep(0)

    assert ["late runs"] == diary
    with pytest.raises(DependencyUnknown, match="'lost' depends on 'nobody'"):
        operations.register(Part("lost", diary, ["nobody"]))
    operations.register(Part("lost", diary))
    await operations.stop()


async def test_nothing_starts_when_a_dependency_is_missing(tmp_path: Path) -> None:
    diary: list[str] = []
    operations = manager(tmp_path)
    operations.register(Part("roof", diary, ["wall"]))

    with pytest.raises(DependencyUnknown, match="'roof' depends on 'wall', which is not registered"):
        await operations.start()

    assert not operations.is_running
    assert [] == diary


def test_names_are_given_once(tmp_path: Path) -> None:
    operations = manager(tmp_path)
    operations.register(Part("ground", []))

    with pytest.raises(ComponentTaken):
        operations.register(Part("ground", []))
    with pytest.raises(ProbeTaken):
        operations.register(Part("journal", []))


async def test_starting_and_stopping_twice_changes_nothing(tmp_path: Path) -> None:
    closed: list[str] = []

    async def close() -> None:
        closed.append("closed")

    operations = manager(tmp_path)
    operations.at_stop.push_async_callback(close)
    await operations.start()
    await operations.start()
    await asyncio.gather(operations.stop(), operations.stop())

    assert ["closed"] == closed
    assert {asyncio.current_task()} == asyncio.all_tasks()
