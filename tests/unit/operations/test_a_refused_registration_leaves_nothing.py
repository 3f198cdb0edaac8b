"""What was refused is not there: the corrected call goes through under the same name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.operations.empty_store import EmptyStore
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.dependencies import DependencyUnknown
from trading_orchestrator.perpetual_operations.health.health_checker import ProbeTaken, ProbeWithoutDeadline
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager


class Desk:
    """A connector of connections that are always well."""

    async def open(self) -> str:
        return "a connection"

    async def ping(self, connection: str) -> None:
        return None

    async def close(self, connection: str) -> None:
        return None


async def answers() -> Health:
    return Health(HealthState.HEALTHY, "answers")


def manager(tmp_path: Path) -> PerpetualOperationsManager:
    config = OperationsConfig(alerts=AlertsConfig(enabled=False))  # an empty store has no leases
    return PerpetualOperationsManager(config, store=EmptyStore(), clock=VirtualClock(), data_dir=tmp_path)


async def test_a_pool_whose_dependency_is_misspelt_is_made_at_the_second_try(tmp_path: Path) -> None:
    operations = manager(tmp_path)
    await operations.start()
    with pytest.raises(DependencyUnknown):
        operations.add_pool("sales", Desk(), depends_on=["jornal"])
    left = [status.name for status in operations.pools.statuses()]

    pool = operations.add_pool("sales", Desk(), depends_on=["journal"])
    await operations.stop()

    assert ([], "sales") == (left, pool.name)


async def test_a_dependency_below_a_misspelt_one_is_made_at_the_second_try(tmp_path: Path) -> None:
    operations = manager(tmp_path)
    await operations.start()
    with pytest.raises(DependencyUnknown):
        operations.add_dependency("quotes", answers, depends_on=["jornal"])
    left = [status.name for status in operations.circuits.statuses()]

    circuit = operations.add_dependency("quotes", answers, depends_on=["journal"])
    await operations.stop()

    assert ([], "dependency/quotes") == (left, circuit.name)


def test_a_refused_probe_takes_its_circuit_or_pool_with_it(tmp_path: Path) -> None:
    operations = manager(tmp_path)
    operations.add_probe("pool/sales", answers)
    with pytest.raises(ProbeTaken):
        operations.add_pool("sales", Desk())
    with pytest.raises(ProbeWithoutDeadline):
        operations.add_dependency("quotes", answers, deadline_s=0)

    assert ([], []) == (operations.pools.statuses(), operations.circuits.statuses())
