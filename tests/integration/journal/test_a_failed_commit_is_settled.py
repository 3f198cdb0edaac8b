"""An error from COMMIT is itself unknown: the answer is what the disk holds, or CommitUnknown."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from tests.integration.journal.engine import append_number
from tests.integration.journal.faulty_vfs import FaultyVfs, failing
from trading_orchestrator.app.journal_check import verify
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.ports import CommitUnknown, StorageUnavailable
from trading_orchestrator.storage.sqlite import SqliteStore, open_store
from trading_orchestrator.storage.sqlite.connection import connect_writer
from trading_orchestrator.storage.sqlite.transaction import Draft, WriteTransaction
from trading_orchestrator.storage.sqlite.works import Append, ClaimLease
from trading_orchestrator.storage.sqlite.writer import Writer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def vfs(request: pytest.FixtureRequest) -> FaultyVfs:
    return FaultyVfs(f"faulty-{request.node.name}")


@pytest.fixture
async def store(path: Path, vfs: FaultyVfs) -> AsyncIterator[SqliteStore]:
    """A store with a reader open, so that no close of the writer's connection tidies the log away."""
    store = await open_store(path, clock=SystemClock(), vfs=vfs.name)
    await append_number(store, 0, None, stream="cluster")
    assert 1 == len(await store.read())
    yield store
    await store.close()


@pytest.mark.parametrize("operation", ["sync", "write"])
async def test_what_did_not_land_is_told_so_and_the_next_append_goes_on(
    store: SqliteStore, path: Path, vfs: FaultyVfs, operation: str
) -> None:
    with failing(vfs, operation, times=1) as met:
        with pytest.raises(StorageUnavailable):
            await append_number(store, 1, None, stream="cluster")
        after = await append_number(store, 2, None, stream="cluster")

    assert 1 == len(met)
    assert 2 == after.seq
    assert [b'{"number":0}', b'{"number":2}'] == [fact.body for fact in await store.read()]
    assert verify(path).ok


async def test_every_caller_of_the_failed_group_is_told(store: SqliteStore, vfs: FaultyVfs) -> None:
    with failing(vfs, "sync", times=1):
        outcomes = await asyncio.gather(
            *(append_number(store, number, None, stream="cluster") for number in range(20)), return_exceptions=True
        )

    assert [StorageUnavailable] * 20 == [type(outcome) for outcome in outcomes]
    assert 20 == len({id(outcome) for outcome in outcomes})


async def test_crash_recovery_does_not_revive_what_was_told_not_to_have_happened(
    store: SqliteStore, path: Path, vfs: FaultyVfs, tmp_path: Path
) -> None:
    """The frames of a commit whose sync failed lie whole in the log; recovery reads the log, not the index."""
    with failing(vfs, "sync", times=1), pytest.raises(StorageUnavailable):
        await append_number(store, 1, None, stream="cluster")

    after_power_loss = tmp_path / "after" / path.name
    after_power_loss.parent.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{after_power_loss}{suffix}")

    assert (1, None) == (verify(after_power_loss).facts, verify(after_power_loss).broken)


async def test_when_even_looking_fails_the_answer_is_unknown_until_the_disk_heals(
    store: SqliteStore, path: Path, vfs: FaultyVfs
) -> None:
    with failing(vfs, "sync", times=2) as met, pytest.raises(CommitUnknown):
        await append_number(store, 1, None, stream="cluster")

    assert 2 == len(met)
    assert [(1, 1)] == [(head.seq, head.pos) for head in await store.heads()]
    assert 2 == (await append_number(store, 2, None, stream="cluster")).seq
    assert verify(path).ok


class _Lying(apsw.Connection):
    """Commits, and then says that it failed: a time-out of a network disk, a signal at the wrong time."""

    lies_left = 0

    def execute(self, *args, **options):  # type: ignore[no-untyped-def]
        cursor = super().execute(*args, **options)
        if args[0] == "COMMIT" and _Lying.lies_left:
            _Lying.lies_left -= 1
            raise apsw.IOError("no answer")
        return cursor


@pytest.fixture
async def liar(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Writer]:
    """A second writer on the store's journal, whose next COMMIT lands and reports an error."""
    monkeypatch.setattr(apsw, "Connection", _Lying)
    writer = Writer(path, lambda: connect_writer(path), clock=SystemClock(), boot_id="boot")
    monkeypatch.setattr(_Lying, "lies_left", 1)
    yield writer
    writer.close()


async def test_what_landed_despite_the_error_is_answered_as_landed(liar: Writer, path: Path) -> None:
    outcome = liar.commit([Append([Draft("cluster", "number.counted", b"1")], "test", None, ())])[0]

    assert ([2], 0) == ([fact.seq for fact in outcome.value], _Lying.lies_left)
    assert (2, None) == (verify(path).facts, verify(path).broken)


async def test_a_claim_that_landed_despite_the_error_is_answered_as_landed(liar: Writer, store: SqliteStore) -> None:
    outcome = liar.commit([ClaimLease("desk/paper", "first", 3_000_000_000, "")])[0]

    assert [outcome.value] == list(await store.leases())


class _Failing:
    def apply(self, transaction: WriteTransaction) -> None:
        raise RuntimeError("a bug")


async def test_a_work_that_breaks_its_group_fails_alone(store: SqliteStore, path: Path) -> None:
    writer = Writer(path, lambda: connect_writer(path), clock=SystemClock(), boot_id="boot")
    works = [Append([Draft("cluster", "number.counted", b"%d" % number)], "test", None, ()) for number in range(3)]

    outcomes = writer.commit([works[0], _Failing(), works[1], works[2]])
    writer.close()

    assert [False, True, False, False] == [outcome.error is not None for outcome in outcomes]
    assert [b"0", b"1", b"2"] == [fact.body for fact in await store.read(after_pos=1)]
    assert verify(path).ok
