"""A PostgreSQL for each file of tests, and a pool before it for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tests.integration.postgres.cluster import LACKS, Cluster
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.connection_pool import ConnectionPool, PoolConfig
from trading_orchestrator.storage.postgres_connections import PostgresConnector

MakePool = Callable[..., ConnectionPool[Any]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if LACKS:
        pytest.skip(f"PostgreSQL is missing: {LACKS}")
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture
async def watcher(cluster: Cluster) -> AsyncIterator[Any]:
    """A session beside the pool, that sees the others in pg_stat_activity."""
    connector = PostgresConnector(cluster.dsn)
    connection = await connector.open()
    yield connection
    connection.terminate()


@pytest.fixture
async def make_pool(cluster: Cluster) -> AsyncIterator[MakePool]:
    pools: list[ConnectionPool[Any]] = []

    def make(**settings: Any) -> ConnectionPool[Any]:
        connector = PostgresConnector(cluster.dsn, server_settings={"application_name": "pooled"})
        pool = ConnectionPool(
            "sales", connector, PoolConfig(**settings), SystemClock(), is_harmless=connector.is_harmless
        )
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        await pool.drain(0.0)
