"""An inline store commits, reads, waits and checkpoints on the caller's thread, in the caller's time."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from tests.integration.journal.engine import append_number
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.storage.sqlite import Bell, open_store
from trading_orchestrator.storage.sqlite.watch import POLL_S


@pytest.mark.parametrize("bell", [None, Bell()], ids=["polling", "bell"])
async def test_no_thread_is_started_and_time_is_virtual(
    bell: Bell | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise AssertionError(f"thread {thread.name} in a simulation")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    clock = VirtualClock()
    ours = await open_store(tmp_path / "journal.db", clock=clock, inline=True, bell=bell)
    theirs = await open_store(tmp_path / "journal.db", clock=clock, inline=True, bell=bell)

    waiting = asyncio.create_task(ours.wait_change(0, 3600.0))
    await clock.advance(5.0)
    assert not waiting.done()
    await append_number(theirs, 1, None, stream="cluster")
    await clock.advance(0.02)
    assert 1 == await waiting

    silence = asyncio.create_task(ours.wait_change(1, 5.0))
    await clock.advance(5.0)
    assert 1 == await silence
    assert await ours.read() == await theirs.read()
    assert 0 < (await ours.checkpoint()).written_pages
    for store in (ours, theirs):
        await store.close()


async def test_a_shared_bell_makes_months_of_silence_cheap(tmp_path: Path) -> None:
    clock, bell, path = VirtualClock(), Bell(), tmp_path / "journal.db"
    ours = await open_store(path, clock=clock, inline=True, bell=bell)
    theirs = await open_store(path, clock=clock, inline=True, bell=bell)
    before = await append_number(theirs, 0, None, stream="cluster")
    assert before.pos == await ours.wait_change(0, 60.0)

    waiting = asyncio.create_task(ours.wait_change(before.pos, 1e8))
    await clock.advance(9e7)
    assert not waiting.done()
    await append_number(theirs, 1, None, stream="cluster")
    await clock.advance(POLL_S / 2)
    assert not waiting.done(), "no process hears of another's commit before it looks"
    await clock.advance(POLL_S)

    assert before.pos + 1 == await waiting
    for store in (ours, theirs):
        await store.close()


async def test_the_same_steps_leave_the_same_hashes(tmp_path: Path) -> None:
    heads = []
    for name in ("first", "second"):
        store = await open_store(tmp_path / name / "journal.db", clock=VirtualClock(), inline=True, random_bytes=bytes)
        for number in range(5):
            await append_number(store, number, None, stream="cluster")
        heads.append((store.journal_id, await store.heads()))
        await store.close()

    assert heads[0] == heads[1]
