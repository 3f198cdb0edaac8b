"""A program's PostgreSQL goes away under its pool: an incident, a climbed ladder, and work again when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from tests.integration.postgres.cluster import PASSWORD, Cluster
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.circuit_breaker import CircuitConfig
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.perpetual_operations import Ladder, PostgresConnector, Step
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.incidents.incident import Incident
from trading_orchestrator.perpetual_operations.incidents.read import incidents_of
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.storage.connection_pool import PoolConfig
from trading_orchestrator.storage.sqlite import open_store

PART = "pool/sales"
SETTINGS = {
    "resources": {"enabled": False},
    "health": {
        "interval_s": 0.1,
        "fall_rounds": 1,
        "rise_rounds": 1,
        "loop_lag_degraded_s": 20.0,
        "loop_lag_unhealthy_s": 30.0,
    },
}
SHORT = PoolConfig(max_size=2, size=2, circuit=CircuitConfig(min_calls=2, open_s=0.2, open_max_s=0.2))
RECYCLE = Ladder(failure="dependency.down", parts=(PART,), steps=(Step(action="recycle_pool", proof_s=60),))


@pytest.fixture
async def operations(tmp_path: Path) -> AsyncIterator[PerpetualOperationsManager]:
    clock = SystemClock()
    store = await open_store(tmp_path / "journal.db", clock=clock)
    config = msgspec.convert(SETTINGS, OperationsConfig)
    operations = PerpetualOperationsManager(config, store=store, clock=clock, data_dir=tmp_path)
    operations.add_ladder(RECYCLE)
    await operations.start()
    yield operations
    await operations.stop()
    await store.close()


async def test_it_is_named_repaired_and_over_when_the_server_is_back(
    operations: PerpetualOperationsManager, cluster: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    postgres = PostgresConnector(cluster.dsn, server_settings={"application_name": "pooled"})
    sales = operations.add_pool("sales", postgres, SHORT, is_harmless=postgres.is_harmless)
    errors: set[str] = set()

    async def sell() -> bool:
        try:
            async with sales.use() as connection:
                return bool(await connection.fetchval("SELECT true"))
        except OrchestratorError as error:
            errors.add(error.code)
        except Exception as error:  # noqa: BLE001  # asyncpg has several for a session that is cut while it is asked
            errors.add(type(error).__module__.partition(".")[0])
        return False

    async def sell_until(*states: str) -> Incident | None:
        async with asyncio.timeout(60):
            while True:
                await sell()
                await asyncio.sleep(0.05)
                for incident in await incidents_of(operations.store):
                    if incident.part == PART and incident.state in states and incident.steps:
                        return incident

    assert await sell()
    cluster.stop()
    during = await sell_until("open")
    cluster.start()
    after = await sell_until("resolved")

    assert during is not None
    assert after is not None
    assert during.incident_id == after.incident_id
    assert ("dependency.down", "its circuit is open") == (after.failure, after.reason)
    assert ("recycle_pool", ["recycle_pool"]) == (after.ended_by, [step.action for step in after.steps])
    assert {"postgres.unreachable", "circuit.open"} == errors - {"asyncpg"}
    assert await sell()
    await operations.stop()
    status = sales.status()
    assert status.opened_total == status.closed_total > 1
    kept = [caplog.text.encode(), *(path.read_bytes() for path in tmp_path.glob("journal.db*"))]
    assert [] == [each for each in kept for said in (PASSWORD, quote(PASSWORD, safe="")) if said.encode() in each]
