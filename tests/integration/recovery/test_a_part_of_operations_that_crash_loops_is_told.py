"""A part of operations itself that ends again and again is an incident under its name, and a person is paged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.health.health_checker import AtOnce
from trading_orchestrator.perpetual_operations.incidents import facts as f
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.perpetual_operations.monitoring.config import HistoryConfig, MonitoringConfig
from trading_orchestrator.storage.connection_pool import PoolStatus
from trading_orchestrator.storage.sqlite import SqliteStore

TENDED_S = 5


class Untendable:
    """A pool of somebody else's whose upkeep fails until it is mended."""

    def __init__(self) -> None:
        self.broken = True

    def status(self) -> PoolStatus:
        return PoolStatus("theirs", 1, 0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, "closed")

    async def tend(self) -> None:
        if self.broken:
            raise ZeroDivisionError("a bug of its own")


@pytest.fixture
async def operations(
    store: SqliteStore, clock: VirtualClock, tmp_path: Path
) -> AsyncIterator[PerpetualOperationsManager]:
    config = OperationsConfig(
        alerts=AlertsConfig(enabled=False),
        monitoring=MonitoringConfig(enabled=False),  # whose threads keep real time
        history=HistoryConfig(enabled=False),
    )
    manager = PerpetualOperationsManager(config, store=store, clock=clock, data_dir=tmp_path)
    manager.watch()
    yield manager
    await manager.unwatch()


async def test_a_part_of_operations_is_repaired_by_its_ladder_and_paged(
    operations: PerpetualOperationsManager, clock: VirtualClock
) -> None:
    said: list[f.Body] = []
    operations.incidents.listen(said.append)
    pool = Untendable()
    operations.pools.adopt("theirs", pool)

    await clock.advance(240)
    opened = next(body for body in said if isinstance(body, f.Opened) and body.part == "connection_pool_manager")
    assert "component.crash_loop" == opened.failure
    assert "restart_component" in {body.action for body in said if isinstance(body, f.StepStarted)}
    assert "connection_pool_manager" in {body.part for body in said if isinstance(body, f.Exhausted)}

    pool.broken = False
    await clock.advance(360)
    assert "connection_pool_manager" not in operations.incidents.open


async def test_who_finds_failures_cannot_find_its_own_and_is_told_at_once(
    operations: PerpetualOperationsManager, clock: VirtualClock
) -> None:
    said: list[f.Body] = []
    operations.incidents.listen(said.append)
    await clock.advance(3)
    well = AtOnce(lambda: Health(HealthState.HEALTHY))
    operations.health.add("orphan", well, depends_on=["nobody"])
    await operations.supervisor.restart("health_checker")
    await clock.advance(90)

    assert ["health_checker"] == [body.part for body in said if isinstance(body, f.Exhausted)]
    assert "component.crash_loop" == operations.incidents.open["health_checker"].failure

    operations.health.remove("orphan")
    await clock.advance(40)
    assert {} == operations.incidents.open


async def test_a_climb_may_restart_the_one_that_runs_it(
    operations: PerpetualOperationsManager, clock: VirtualClock
) -> None:
    await clock.advance(3)
    down = Health(HealthState.UNHEALTHY, "it ends again and again", "component.crash_loop")
    reading = [down]
    operations.health.add("auto_recovery_manager", AtOnce(lambda: reading[0]))
    await clock.advance(45)
    reading[0] = Health(HealthState.HEALTHY)
    await clock.advance(10)

    child = operations.supervisor.children["auto_recovery_manager"]
    assert child.restarts >= 1
    assert child.task is not None
    assert {} == operations.incidents.open
