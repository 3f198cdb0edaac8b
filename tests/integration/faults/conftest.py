"""A venue process with a held market, a journal on disk, and the desk between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.integration.desk.conftest import ACCOUNT, OPENING
from tests.integration.faults.scene import Scene
from tests.integration.faults.wire import Wire, network
from tests.venue_process import VenueProcess
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.sqlite import open_store

OPTIONS: dict[str, str | list[str]] = {
    "account": [f"{ACCOUNT}:{ACCOUNT}-key:{ACCOUNT}-secret:EUR={OPENING},USDT={OPENING}"]
}


@asynccontextmanager
async def set_up(venue: VenueProcess, journal: Path) -> AsyncIterator[Scene]:
    venue.start()
    store = await open_store(journal, clock=SystemClock())
    scene = Scene(venue, store, journal)
    scene.tick()
    try:
        yield scene
    finally:
        await scene.close()
        await scene.store.close()
        venue.stop()


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with set_up(VenueProcess(tmp_path / "venue", OPTIONS), tmp_path / "journal.db") as scene:
        yield scene


@pytest.fixture
def wire() -> Iterator[Wire]:
    with network() as wire:
        yield wire


@pytest.fixture
async def far_scene(tmp_path: Path, wire: Wire) -> AsyncIterator[Scene]:
    """As `scene`, with the venue behind a wire that a test can cut."""
    venue = VenueProcess(tmp_path / "venue", OPTIONS, host=wire.host, under=wire.under)
    async with set_up(venue, tmp_path / "journal.db") as scene:
        yield scene
