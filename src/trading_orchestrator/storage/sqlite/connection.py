"""Connections to the journal's file: one way to open each kind, and how to wait for a lock."""

from __future__ import annotations

import threading
from pathlib import Path

import apsw

PAUSE_S = 0.0004
WRITER_PATIENCE_S = 2.0
READER_PATIENCE_S = 1.0


class BusyWait:
    """Wait for another process's lock in steps of at most 0.5 ms, up to `patience_s`.

    SQLite's own handler backs off to 100 ms: p99 under contention was 130 ms with it, 5–14 ms with this one.
    Counted in tries, so that a virtual clock cannot make it wait for ever.
    """

    def __init__(self, patience_s: float) -> None:
        self._tries = int(patience_s / PAUSE_S)
        self._never = threading.Event()

    def __call__(self, tried: int) -> bool:
        self._never.wait(PAUSE_S)
        return tried < self._tries


def connect_writer(
    path: Path, *, vfs: str | None = None, patience_s: float = WRITER_PATIENCE_S, create: bool = True
) -> apsw.Connection:
    """Open read-write, creating the file: every COMMIT is synced, and checkpoints happen only when asked for.

    Args:
        create: False where a missing file is a lost journal, which an empty one must not take the place of.
    """
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    connection = apsw.Connection(str(path), flags=flags, vfs=vfs)
    connection.set_busy_handler(BusyWait(patience_s))
    if next(connection.execute("PRAGMA page_count"))[0] == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # works before the first table; later it is a commit
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "wal_autocheckpoint = 0",
        "journal_size_limit = 67108864",
        "cell_size_check = ON",
        "trusted_schema = OFF",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def connect_scanner(path: Path, *, tolerant: bool = False, unused: bool = False) -> apsw.Connection:
    """Open read-only what may lie on a read-only disk: SQLite then cannot make the log's index, nor needs it.

    Args:
        tolerant: read a file that is shorter than its header says as far as it goes.
        unused: nobody is about to open it: without a log, no empty one is put beside it, nor an index.

    Raises:
        apsw.CantOpenError: also when there is a log to read and no place for its index.
    """
    log = path.with_name(f"{path.name}-wal")
    if unused and not log.exists():
        return _connect_unchanging(path)
    connection = connect_reader(path)
    try:
        if tolerant:  # the only effect of this pragma on a read-only connection (btree.c, lockBtree)
            connection.execute("PRAGMA writable_schema = ON")
        connection.execute("PRAGMA schema_version").fetchall()
    except apsw.CantOpenError:
        connection.close(True)
        if log.exists() and log.stat().st_size:
            raise
        connection = _connect_unchanging(path)
    return connection


def _connect_unchanging(path: Path) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return apsw.Connection(f"{path.resolve().as_uri()}?immutable=1", flags=flags)


def connect_reader(path: Path, *, vfs: str | None = None, patience_s: float = READER_PATIENCE_S) -> apsw.Connection:
    """Open read-only. The file must exist; several of these read beside the writer without blocking it."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs)
    connection.set_busy_handler(BusyWait(patience_s))
    # Else SQLite plans anew whenever a bound LIMIT changes nothing but itself: 16 µs a short read instead of 5.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection
