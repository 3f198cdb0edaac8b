"""A venue process with a held market, a journal on disk, and the desk between them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.desk.conftest import ACCOUNT, OPENING
from tests.integration.faults.scene import Scene
from tests.venue_process import VenueProcess
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.sqlite import open_store


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    account = f"{ACCOUNT}:{ACCOUNT}-key:{ACCOUNT}-secret:EUR={OPENING},USDT={OPENING}"
    venue = VenueProcess.start_new(tmp_path / "venue", account=[account])
    journal = tmp_path / "journal.db"
    store = await open_store(journal, clock=SystemClock())
    scene = Scene(venue, store, journal)
    scene.tick()
    try:
        yield scene
    finally:
        await scene.close()
        await scene.store.close()
        venue.stop()
