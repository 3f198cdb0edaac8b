"""A file that this program must not write is refused in one sentence, and not one byte of it changes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import pytest

from tests.integration.journal.engine import append_number
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.ports import JournalCorrupt, JournalNewer, StorageLocked
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.storage.sqlite.failures import JournalMissing, JournalUnwritable
from trading_orchestrator.storage.sqlite.schema import MigrationChanged, NotAJournal


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A closed journal of one fact."""
    path = tmp_path / "journal.db"
    store = await open_store(path, clock=SystemClock())
    await append_number(store, 1, None, stream="cluster")
    await store.close()
    return path


def change(path: Path, sql: str) -> bytes:
    connection = apsw.Connection(str(path))
    connection.execute(sql)
    connection.close()
    return path.read_bytes()


async def test_a_newer_journal_is_refused_untouched(path: Path) -> None:
    before = change(path, "PRAGMA user_version = 99")

    with pytest.raises(JournalNewer, match="start the newer version that wrote it") as newer:
        await open_store(path, clock=SystemClock())

    assert {"path": str(path), "found": 99, "known": 1} == newer.value.facts
    assert before == path.read_bytes()


async def test_the_log_of_a_newer_journal_that_was_killed_is_not_written_back(path: Path) -> None:
    writer = apsw.Connection(str(path))
    writer.execute("PRAGMA wal_autocheckpoint = 0")
    writer.execute("PRAGMA user_version = 99")
    files = [path, path.with_name("journal.db-wal")]
    before = [file.read_bytes() for file in files]

    with pytest.raises(JournalNewer):
        await open_store(path, clock=SystemClock())

    assert before == [file.read_bytes() for file in files]
    writer.close()


@pytest.mark.parametrize("content", [b"x", b"this is a letter, not a journal\n" * 500], ids=["a byte", "a letter"])
async def test_what_is_no_database_is_refused_untouched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(content)

    with pytest.raises(JournalCorrupt, match="restore a backup"):
        await open_store(path, clock=SystemClock())

    assert content == path.read_bytes()


async def test_another_programs_database_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    before = change(path, "CREATE TABLE songs (title TEXT)")

    with pytest.raises(NotAJournal, match="another program"):
        await open_store(path, clock=SystemClock())

    assert before == path.read_bytes()


async def test_a_damaged_schema_is_refused_untouched(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100:4096] = bytes(3996)
    path.write_bytes(data)

    with pytest.raises(JournalCorrupt, match="journal verify"):
        await open_store(path, clock=SystemClock())

    assert bytes(data) == path.read_bytes()


async def test_a_journal_migrated_by_another_text_is_refused(path: Path) -> None:
    change(path, "UPDATE migrations SET checksum = 'other'")

    with pytest.raises(MigrationChanged, match="install the release"):
        await open_store(path, clock=SystemClock())


async def test_an_empty_file_left_by_a_crash_becomes_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.touch()
    store = await open_store(path, clock=SystemClock())

    assert 1 == (await append_number(store, 1, None, stream="cluster")).pos
    await store.close()


async def test_a_missing_journal_is_made_only_when_asked_to(tmp_path: Path) -> None:
    with pytest.raises(JournalMissing, match="there is no journal"):
        await open_store(tmp_path / "deep" / "journal.db", clock=SystemClock(), create=False)

    assert [] == list(tmp_path.iterdir())


async def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(JournalUnwritable, match="choose another data directory"):
        await open_store(tmp_path / "file" / "journal.db", clock=SystemClock())


async def test_a_lock_that_is_never_released_is_reported_and_the_next_append_goes_on(path: Path) -> None:
    store = await open_store(path, clock=SystemClock())
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")

    outcomes = await asyncio.gather(
        *(append_number(store, number, None, stream="cluster") for number in range(3)), return_exceptions=True
    )
    other.execute("ROLLBACK")

    assert [StorageLocked] * 3 == [type(outcome) for outcome in outcomes]
    assert 2 == (await append_number(store, 1, None, stream="cluster")).seq
    other.close()
    await store.close()
