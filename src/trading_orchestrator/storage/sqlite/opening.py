"""Opening: look first, then make or migrate, then put the parts of a store together."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import apsw
import msgspec

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.ids import RandomBytes
from trading_orchestrator.storage.boot_id import read_boot_id
from trading_orchestrator.storage.sqlite.bell import Bell, BellPoller
from trading_orchestrator.storage.sqlite.checkpoint import LogGuard
from trading_orchestrator.storage.sqlite.committer import Committer, InlineCommitter, ThreadCommitter
from trading_orchestrator.storage.sqlite.connection import connect_reader, connect_writer
from trading_orchestrator.storage.sqlite.failures import JournalMissing, JournalUnwritable, explain_opening
from trading_orchestrator.storage.sqlite.lanes import InlineLanes, Lanes, ThreadLanes
from trading_orchestrator.storage.sqlite.schema import inspect, migrate, read_journal_id, shipped_migrations
from trading_orchestrator.storage.sqlite.store import SqliteStore
from trading_orchestrator.storage.sqlite.watch import ChangeWatch, LoopPoller, Poll, Poller, ThreadPoller
from trading_orchestrator.storage.sqlite.writer import Writer

READERS, READERS_MAX = 2, 6
CREATE_TRIES = 40
UPKEEP_PATIENCE_S = 0.01  # a checkpoint that waits for readers holds the write lock meanwhile


class Opened(msgspec.Struct, frozen=True):
    """A journal whose file is there and has our schema."""

    path: Path
    journal_id: str
    writer: Writer


def create_or_migrate(path: Path, *, clock: Clock, create: bool, random_bytes: RandomBytes, vfs: str | None) -> Opened:
    """Return the writer on a file that has our schema. Blocking: runs on a thread."""
    steps = shipped_migrations()
    _prepare_place(path, create)
    inspect(path, newest=steps[-1].version)
    try:
        connection = _connect_patiently(path)
        try:
            migrate(connection, path, steps=steps, clock=clock, random_bytes=random_bytes)
            journal_id = read_journal_id(connection)
        finally:
            connection.close(True)
        connect = partial(connect_writer, path, vfs=vfs, create=False)
        writer = Writer(path, connect, clock=clock, boot_id=read_boot_id())
    except (apsw.Error, UnicodeDecodeError) as error:
        raise explain_opening(error, path) from error
    return Opened(path, journal_id, writer)


def assemble(
    opened: Opened, *, clock: Clock, inline: bool, guard: LogGuard, bell: Bell | None, poll_s: float
) -> SqliteStore:
    """Put a store together around its writer: with threads, or inline for simulations."""
    path, writer = opened.path, opened.writer
    read = partial(connect_reader, path)
    upkeep_connection = partial(connect_writer, path, patience_s=UPKEEP_PATIENCE_S, create=False)
    committer: Committer
    readers: Lanes
    upkeep: Lanes
    poll = Poll(read)
    poller: Poller
    if inline:
        committer = InlineCommitter(writer)
        readers, upkeep = InlineLanes(path, read), InlineLanes(path, upkeep_connection)
        poller = BellPoller(poll, bell, clock) if bell else LoopPoller(poll, clock)
    else:
        committer = ThreadCommitter(writer)
        readers = ThreadLanes(path, read, name="journal-reader", size=READERS, size_max=READERS_MAX, clock=clock)
        upkeep = ThreadLanes(path, upkeep_connection, name="journal-upkeep", size=1, clock=clock)
        poller = ThreadPoller(poll, poll_s)
    watch = ChangeWatch(poller, clock)

    def committed(pos: int) -> None:
        """Our own waiters hear at once, those of other stores when they look."""
        watch.saw(pos)
        if bell is not None:
            bell.ring(pos)

    return SqliteStore(
        opened.journal_id,
        writer=writer,
        committer=committer,
        readers=readers,
        upkeep=upkeep,
        watch=watch,
        committed=committed,
        guard=guard,
    )


def _prepare_place(path: Path, create: bool) -> None:
    if path.exists():
        return
    if not create:
        raise JournalMissing(
            f"there is no journal at {path}: name the data directory of a system, or start one to make it",
            path=str(path),
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JournalUnwritable(
            f"the directory of journal {path} cannot be made ({error.strerror}): "
            "make it writable for this user, or choose another data directory",
            path=str(path),
        ) from error


def _connect_patiently(path: Path) -> apsw.Connection:
    """Several processes may create one journal at once: SQLite asks no busy handler while it switches to WAL."""
    for _ in range(CREATE_TRIES):
        try:
            return connect_writer(path)
        except apsw.BusyError:
            continue
    return connect_writer(path)
