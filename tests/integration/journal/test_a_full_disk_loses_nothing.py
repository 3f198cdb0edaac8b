"""A full disk refuses the write, says so, and loses nothing; with room again the journal goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.journal.engine import append_number
from trading_orchestrator.app.journal_check import verify
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.ports import NewFact, StorageUnavailable
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.storage.sqlite.failures import JournalUnwritable


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


async def test_what_was_acknowledged_before_the_disk_filled_is_kept(small_disk: Path) -> None:
    path = small_disk / "journal.db"
    store = await open_store(path, clock=SystemClock())
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_200_000))
    acknowledged = 0

    async def take_room() -> None:
        nonlocal acknowledged
        while acknowledged < 1000:
            await store.append([NewFact("cluster", "room.taken", "x" * 5000)], node="test", fence=None)
            acknowledged += 1

    with pytest.raises(StorageUnavailable, match="disk is full"):
        await take_room()
    assert acknowledged == len(await store.read())

    ballast.unlink()
    after = await append_number(store, 1, None, stream="cluster")
    await store.close()

    assert acknowledged + 1 == after.seq
    assert (acknowledged + 1, None) == (verify(path).facts, verify(path).broken)


async def test_a_read_only_disk_is_refused_with_a_sentence_and_not_touched(small_disk: Path) -> None:
    path = small_disk / "journal.db"
    store = await open_store(path, clock=SystemClock())
    await append_number(store, 1, None, stream="cluster")
    await store.close()
    before = path.read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)

    with pytest.raises(JournalUnwritable, match="make the file and its directory writable"):
        await open_store(path, clock=SystemClock())
    with pytest.raises(JournalUnwritable, match="writable"):
        await open_store(small_disk / "other" / "journal.db", clock=SystemClock())

    assert before == path.read_bytes()
    assert verify(path).ok
