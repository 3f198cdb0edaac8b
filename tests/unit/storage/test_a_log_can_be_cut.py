"""For a disk that is short, the log of a journal is written back and cut; nothing is lost, and writing goes on."""

from __future__ import annotations

from pathlib import Path

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.storage.ports import NewFact
from trading_orchestrator.storage.sqlite import open_store


async def test_the_log_is_cut_and_every_fact_is_there(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "journal.db", clock=VirtualClock(), inline=True)
    log = tmp_path / "journal.db-wal"
    for number in range(50):
        await store.append([NewFact("config", "note.made", {"number": number})], node="a", fence=None)
    before = log.stat().st_size
    left = await store.cut_log()
    after = log.stat().st_size
    await store.append([NewFact("config", "note.made", {"number": 50})], node="a", fence=None)
    facts = await store.read(stream="config")
    await store.close()

    assert before > 50_000
    assert (0, 0, 51) == (left, after, len(facts))
