"""Every promise of the port is kept on every engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.journal.engine import Engine, SqliteEngine
from trading_orchestrator.storage.ports import FactStore


@pytest.fixture(params=["sqlite"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    """An empty journal of each engine in turn."""
    engines = {"sqlite": SqliteEngine}
    engine = engines[request.param](tmp_path)
    yield engine
    await engine.close()


@pytest.fixture
async def store(engine: Engine) -> FactStore:
    """A store on the empty journal."""
    return await engine.open()
