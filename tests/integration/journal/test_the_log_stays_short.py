"""The write-ahead log is written back by call, by any node; a long one is cut without being asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw

from tests.integration.journal.engine import append_number
from trading_orchestrator.app.journal_check import verify
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.ports import NewFact
from trading_orchestrator.storage.sqlite import open_store


async def test_a_checkpoint_writes_everything_back(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "journal.db", clock=SystemClock())
    await append_number(store, 1, None, stream="cluster")

    done = await store.checkpoint()
    await store.close()

    assert 0 < done.log_pages == done.written_pages


async def test_a_single_node_keeps_its_log_short_under_writers_that_never_pause(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    store = await open_store(path, clock=SystemClock(), guard_pages=64)

    async def write() -> None:
        for _ in range(150):
            await store.append([NewFact("cluster", "room.taken", "x" * 3000)], node="test", fence=None)

    await asyncio.gather(*(write() for _ in range(8)))
    log_bytes = path.with_name("journal.db-wal").stat().st_size
    await store.close()

    assert 1200 == verify(path).facts
    assert path.stat().st_size > 1200 * 3000
    assert log_bytes < path.stat().st_size / 2


async def test_a_long_reader_holds_no_writer_up(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    store = await open_store(path, clock=SystemClock(), guard_pages=1)
    await append_number(store, 0, None, stream="cluster")
    reader = apsw.Connection(str(path))
    reader.execute("BEGIN; SELECT count(*) FROM facts").fetchall()

    for number in range(1, 20):
        await append_number(store, number, None, stream="cluster")
    reader.close()
    await store.close()

    assert 20 == verify(path).facts
