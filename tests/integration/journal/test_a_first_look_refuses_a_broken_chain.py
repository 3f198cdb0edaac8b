"""A start walks the chains back from their heads before anything is done with the journal; it has a budget for that."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.integration.journal.engine import append_number
from trading_orchestrator.kernel.clock import SystemClock, VirtualClock
from trading_orchestrator.storage.ports import JournalCorrupt, JournalNewer
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.storage.sqlite.first_look import BATCH_FACTS, look_through
from trading_orchestrator.storage.sqlite.schema import NotAJournal

STREAMS = ("cluster", "config", "access")
FACTS = 3 * BATCH_FACTS


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A closed journal of several batches, by turns in three streams."""
    path = tmp_path / "journal.db"
    store = await open_store(path, clock=SystemClock())
    await asyncio.gather(*(append_number(store, number, None, stream=STREAMS[number % 3]) for number in range(FACTS)))
    await store.close()
    return path


class Hurried(VirtualClock):
    """A clock on which every look at it takes a second, so that no budget lasts longer than one batch."""

    def monotonic_ns(self) -> int:
        self._boot_ns += 1_000_000_000
        return self._boot_ns


def change(path: Path, *statements: str) -> None:
    """Run SQL on the file behind the journal's back, with its guards taken off."""
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("DROP TRIGGER facts_are_not_changed; DROP TRIGGER facts_are_not_deleted")
        for statement in statements:
            connection.execute(statement)


def said_of(path: Path) -> str:
    """Return why the file is refused, and see that it was left as it is."""
    before = path.read_bytes()
    with pytest.raises(JournalCorrupt) as refused:
        look_through(path, clock=VirtualClock())
    assert before == path.read_bytes()
    return refused.value.message.partition(" is damaged (")[2].partition("): stop every node")[0]


def test_a_whole_journal_passes(path: Path) -> None:
    look_through(path, clock=VirtualClock())


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (
            ["UPDATE facts SET body = CAST('{\"number\":999}' AS BLOB) WHERE pos = 152"],
            "a fact does not read back as it was written: stream config at seq 51, pos 152",
        ),
        (
            ["UPDATE facts SET hash = zeroblob(32) WHERE pos = 152"],
            "a fact does not read back as it was written: stream config at seq 51, pos 152",
        ),
        (["DELETE FROM facts WHERE pos = 152"], "the chain of stream cluster does not hold at seq 51, pos 151"),
        ([f"DELETE FROM facts WHERE pos > {FACTS - 3}"], f"expected facts up to pos {FACTS}, was {FACTS - 3}"),
        (["DELETE FROM facts WHERE pos < 4"], "stream access has lost its beginning"),
        (
            [
                "UPDATE facts SET pos = -1 WHERE pos = 152",
                "UPDATE facts SET pos = 152 WHERE pos = 153",
                "UPDATE facts SET pos = 153 WHERE pos = -1",
            ],
            "a fact does not read back as it was written: stream config at seq 51, pos 153",
        ),
        (
            ["UPDATE heads SET (seq, hash) = (SELECT seq, hash FROM facts WHERE pos = 149) WHERE stream = 'config'"],
            f"the chain of stream config does not hold at seq {FACTS // 3}, pos {FACTS - 1}",
        ),
        (
            ["UPDATE heads SET pos = 1 WHERE stream = 'config'"],
            f"the chain of stream config does not hold at seq {FACTS // 3}, pos {FACTS - 1}",
        ),
        (
            ["UPDATE heads SET stream = 'cunfig' WHERE stream = 'config'"],
            f"a fact does not read back as it was written: stream cunfig at seq {FACTS // 3}, pos {FACTS - 1}",
        ),
        (["UPDATE facts SET kind = CAST(x'ff' AS TEXT) WHERE pos = 152"], "a name in it is no text"),
    ],
    ids=["body", "hash", "missing", "no tail", "no beginning", "swapped", "head", "head's pos", "name", "no text"],
)
def test_a_link_that_does_not_hold_is_named(path: Path, statements: list[str], expected: str) -> None:
    change(path, *statements)

    assert expected == said_of(path)


def test_the_newest_facts_are_looked_at_however_little_time_there_is(path: Path) -> None:
    change(path, f"UPDATE facts SET node = 'other' WHERE pos = {FACTS - BATCH_FACTS + 1}")

    with pytest.raises(JournalCorrupt, match=f"pos {FACTS - BATCH_FACTS + 1}"):
        look_through(path, clock=Hurried())


def test_when_time_is_up_the_rest_is_left_to_verify(path: Path) -> None:
    change(path, f"UPDATE facts SET node = 'other' WHERE pos = {FACTS - BATCH_FACTS}")

    look_through(path, clock=Hurried())
    assert f"pos {FACTS - BATCH_FACTS}" in said_of(path)


async def test_a_fact_that_was_altered_is_never_read(path: Path) -> None:
    change(path, "UPDATE facts SET node = 'other' WHERE pos = 152")
    store = await open_store(path, clock=SystemClock())

    assert 151 == len(await store.read(limit=151))
    with pytest.raises(JournalCorrupt, match="stream config at seq 51, pos 152"):
        await store.read(stream="config", limit=100)
    with pytest.raises(JournalCorrupt, match="stream config at seq 51, pos 152"):
        await store.read_before(before_pos=153, limit=1)
    await store.close()


def test_a_file_that_is_not_there_or_not_ours_is_told_apart(path: Path, tmp_path: Path) -> None:
    look_through(tmp_path / "none.db", clock=VirtualClock())
    (tmp_path / "empty.db").touch()
    look_through(tmp_path / "empty.db", clock=VirtualClock())
    with closing(apsw.Connection(str(tmp_path / "other.db"))) as connection:
        connection.execute("CREATE TABLE heads (of TEXT)")
    with pytest.raises(NotAJournal):
        look_through(tmp_path / "other.db", clock=VirtualClock())
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("PRAGMA user_version = 9999; DROP TABLE heads")
    with pytest.raises(JournalNewer):
        look_through(path, clock=VirtualClock())
