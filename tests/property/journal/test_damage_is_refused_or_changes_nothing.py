"""Whatever byte of a journal is overwritten: a start says one clear sentence, or goes on with what was written."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.desk.world import World
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.storage.ports import Fact
from trading_orchestrator.storage.sqlite.first_look import look_through
from trading_orchestrator.trading.follower import Follower

BUYER = {"px": "1.0", "qty": "10", "orders": 40}
SNAPSHOT_EVERY_FACTS = 30


class Written:
    """A closed journal of one file, and what it holds."""

    def __init__(self, path: Path, facts: Sequence[Fact], book: bytes) -> None:
        self.path = path
        self.size_bytes = path.stat().st_size
        self.facts = facts
        self.book = book

    def value(self, sql: str) -> bytes:
        with closing(apsw.Connection(str(self.path))) as connection:
            return bytes(next(connection.execute(sql))[0])


async def _trade(folder: Path) -> None:
    async with await World.open(folder) as world:
        node = await world.start(world.node("Buyer", BUYER, snapshot_every_facts=SNAPSHOT_EVERY_FACTS))
        for number in range(40):
            await world.quote(f"1.{1000 + number}")
        await world.until_done(node.desk.leave(1.0))


async def _read(folder: Path) -> tuple[Sequence[Fact], bytes]:
    """Return every fact and the Book of the desk, as a start finds them."""
    look_through(folder / "journal.db", clock=VirtualClock())
    async with await World.open(folder) as world:
        follower = Follower("paper", "sim", world.store, world.clock)
        await world.until_done(follower.start())
        await world.until_done(follower.stop_at_head())
        follower.book.on_timeline("")
        return await world.store.read(limit=100_000), follower.book.to_snapshot()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("written")
    asyncio.run(_trade(folder))
    facts, book = asyncio.run(_read(folder))
    path = folder / "journal.db"
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert len(facts) > 100
    return Written(path, facts, book)


def start(written: Written, damage: Callable[[Path], None]) -> str:
    """Damage a copy and start on it; return the sentence, "" when it went on with what was written.

    Any other exception is a traceback that an operator would see.
    """
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(shutil.copy(written.path, folder))
        damage(journal)
        try:
            facts, book = asyncio.run(_read(journal.parent))
        except OrchestratorError as error:
            return error.message
    assert (written.facts, written.book) == (facts, book)
    return ""


def overwrite(at: int, value: int) -> Callable[[Path], None]:
    def damage(journal: Path) -> None:
        with journal.open("r+b") as file:
            file.seek(at)
            file.write(bytes([value]))

    return damage


def store(sql: str, value: bytes) -> Callable[[Path], None]:
    """Return a change behind the journal's back, its guards taken off."""

    def damage(journal: Path) -> None:
        with closing(apsw.Connection(str(journal))) as connection:
            connection.execute("DROP TRIGGER facts_are_not_changed")
            connection.execute(sql, (value,))

    return damage


def flipped(data: st.DataObject, value: bytes) -> bytes:
    """Return the value with one byte of it made another."""
    at, by = data.draw(st.integers(0, len(value) - 1)), data.draw(st.integers(1, 255))
    return value[:at] + bytes([value[at] ^ by]) + value[at + 1 :]


@settings(max_examples=60)
@given(st.data())
def test_one_byte_overwritten_is_told_or_harmless(written: Written, data: st.DataObject) -> None:
    at, value = data.draw(st.integers(0, written.size_bytes - 1)), data.draw(st.integers(0, 255))
    said = start(written, overwrite(at, value))

    assert not said or "journal.db" in said
    assert "\n" not in said


@settings(max_examples=30)
@given(st.data())
def test_any_byte_of_a_recent_fact_is_told(written: Written, data: st.DataObject) -> None:
    fact = data.draw(st.sampled_from(written.facts[-20:]))
    column = data.draw(st.sampled_from(("body", "prev_hash", "hash")))
    changed = flipped(data, getattr(fact, column))
    said = start(written, store(f"UPDATE facts SET {column} = ? WHERE pos = {fact.pos}", changed))

    expected = "a fact does not read back as it was written"
    assert f"damaged ({expected}: stream {fact.stream} at seq {fact.seq}, pos {fact.pos})" in said


@settings(max_examples=30)
@given(st.data())
def test_any_byte_of_a_snapshot_costs_only_time(written: Written, data: st.DataObject) -> None:
    changed = flipped(data, written.value("SELECT value FROM projection WHERE name = 'snapshot'"))

    assert "" == start(written, store("UPDATE projection SET value = ? WHERE name = 'snapshot'", changed))
