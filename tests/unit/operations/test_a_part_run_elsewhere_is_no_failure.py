"""A node that only watches itself does not take for a failure what another node runs at present."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from tests.unit.operations.empty_store import EmptyStore
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager


class Part:
    """A component that runs until it is stopped."""

    name = "told"
    depends_on: Sequence[str] = ()

    def health(self) -> Health:
        return Health(HealthState.HEALTHY, "tells")

    async def run(self) -> None:
        await asyncio.Event().wait()


async def word(operations: PerpetualOperationsManager) -> tuple[HealthState, str]:
    """Return what the next report says of the part."""
    report = await operations.health.check()
    return next((part.state, part.reason) for part in report.parts if part.name == Part.name)


async def test_a_part_that_was_handed_over_is_well_and_one_that_was_ended_alone_is_not(tmp_path: Path) -> None:
    config = OperationsConfig(alerts=AlertsConfig(enabled=False))  # an empty store has no leases
    operations = PerpetualOperationsManager(config, store=EmptyStore(), clock=VirtualClock(), data_dir=tmp_path)
    operations.watch()
    operations.register(Part())
    await operations.start()
    assert (HealthState.HEALTHY, "tells") == await word(operations)

    await operations.stop()
    assert (HealthState.HEALTHY, "not run here at present") == await word(operations)

    await operations.start()
    await operations.supervisor.stop(Part.name)
    await word(operations)
    assert HealthState.HEALTHY is not (await word(operations))[0]
    await operations.stop()
    await operations.unwatch()
