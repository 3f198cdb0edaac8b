"""The file of the metrics history: its tables, how it is opened, and what its errors mean.

tail      the newest seconds: blocks of all series of a node, uncompressed, until their hour is over
axes      one time axis per node, hour and set of series; what lies on it is found by key = axis << 24 | series
seconds   every sample, packed; `minutes` and `hours` the roll-ups. Each of the three has a retention of its own
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec

from trading_orchestrator.errors import Refused, Transient
from trading_orchestrator.storage.sqlite.connection import BusyWait

APPLICATION_ID = 0x544F4D31  # "TOM1"
SCHEMA = 1
SERIES_BITS = 24
PATIENCE_S = 5.0
OPEN_TRIES = 40
SPAN_NS = 3_600_000_000_000  # what is sealed together: an hour
PAGE_BYTES = 16_384  # an hour of one series is 0–5 kB: on pages of 4 kB a third of the file would be gaps
_TABLES = """
CREATE TABLE nodes (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE series (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, node INTEGER NOT NULL, UNIQUE (name, node)
) STRICT;
CREATE TABLE tail (
  id INTEGER PRIMARY KEY AUTOINCREMENT, node INTEGER NOT NULL, first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL,
  block BLOB NOT NULL
) STRICT;
CREATE INDEX tail_by_node ON tail (node, last_ns);
CREATE TABLE axes (
  id INTEGER PRIMARY KEY AUTOINCREMENT, node INTEGER NOT NULL, first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL,
  seconds BLOB, minutes BLOB, hours BLOB
) STRICT;
CREATE INDEX axes_by_node ON axes (node, last_ns);
CREATE TABLE seconds (key INTEGER PRIMARY KEY, packed BLOB NOT NULL) STRICT;
CREATE TABLE minutes (key INTEGER PRIMARY KEY, packed BLOB NOT NULL) STRICT;
CREATE TABLE hours (key INTEGER PRIMARY KEY, packed BLOB NOT NULL) STRICT;
"""


class Level(msgspec.Struct, frozen=True):
    """A resolution: the name of its table, and of its column in `axes`; width 0 are the samples themselves."""

    name: str
    width_ns: int


SECONDS = Level("seconds", 0)
MINUTES = Level("minutes", 60_000_000_000)
HOURS = Level("hours", 3_600_000_000_000)
LEVELS = (SECONDS, MINUTES, HOURS)


class HistoryUnavailable(Transient):
    """The metrics history cannot be read or written now. Facts: path."""

    code = "history.unavailable"


class NotAHistory(Refused):
    """The file is not a metrics history that this release can use. Facts: path."""

    code = "history.not_a_history"


def explain(error: apsw.Error, path: Path) -> HistoryUnavailable | NotAHistory:
    """Return our error for one of SQLite's. Nothing was written by what failed."""
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return NotAHistory(
            f"metrics history {path} is damaged ({error}): move it away, and a new one is begun", path=str(path)
        )
    return HistoryUnavailable(f"metrics history {path}: {error}", retry_after_s=1.0, path=str(path))


def connect_writer(path: Path) -> apsw.Connection:
    """Open the file, making it if need be; several processes may do so at once.

    A commit is not synced: a killed process loses nothing of it, and the journal's disk is left in peace.

    Raises:
        HistoryUnavailable, NotAHistory: the sentence says what to do.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _opened_patiently(path)
    except apsw.Error as error:
        raise explain(error, path) from error
    except OSError as error:
        raise HistoryUnavailable(f"metrics history {path}: {error.strerror}", path=str(path)) from error


def connect_reader(path: Path) -> apsw.Connection | None:
    """Open read-only; None while there is no history yet.

    Raises:
        HistoryUnavailable, NotAHistory: the sentence says what to do.
    """
    if not path.exists():
        return None
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_handler(BusyWait(PATIENCE_S))
        if _pragma(connection, "user_version") == 0:
            connection.close()
            return None  # another process is about to make the tables
        _check(connection, path)
    except apsw.Error as error:
        raise explain(error, path) from error
    return connection


@contextmanager
def writing(connection: apsw.Connection) -> Iterator[None]:
    """Take the write lock at once; commit when the block ends well, else roll back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def number(connection: apsw.Connection, sql: str, bindings: tuple[int | str | bytes, ...] = ()) -> int:
    """Return the one number that a query answers."""
    return int(next(connection.execute(sql, bindings))[0])


def _opened_patiently(path: Path) -> apsw.Connection:
    """SQLite asks no busy handler while it switches a file to WAL."""
    for _ in range(OPEN_TRIES):
        try:
            return _opened(path)
        except apsw.BusyError:
            continue
    return _opened(path)


def _opened(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    try:
        connection.set_busy_handler(BusyWait(PATIENCE_S))
        if _pragma(connection, "page_count") == 0:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}; PRAGMA auto_vacuum = INCREMENTAL")
        elif _pragma(connection, "user_version"):
            _check(connection, path)
        connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA wal_autocheckpoint = 128; PRAGMA journal_size_limit = 4194304")
        with writing(connection):
            if _pragma(connection, "user_version") == 0:
                if number(connection, "SELECT count(*) FROM sqlite_schema"):
                    raise _foreign(path)
                connection.execute(_TABLES)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA}")
        _check(connection, path)
    except BaseException:
        connection.close(True)
        raise
    return connection


def _check(connection: apsw.Connection, path: Path) -> None:
    if _pragma(connection, "application_id") != APPLICATION_ID:
        raise _foreign(path)
    found = _pragma(connection, "user_version")
    if found != SCHEMA:
        raise NotAHistory(
            f"metrics history {path} has schema {found}, this program knows {SCHEMA}: "
            "start the release that wrote it, or move the file away",
            path=str(path),
        )


def _foreign(path: Path) -> NotAHistory:
    return NotAHistory(
        f"{path} is a database of another program: set perpetual_operations.history.path to another file",
        path=str(path),
    )


def _pragma(connection: apsw.Connection, name: str) -> int:
    return number(connection, f"PRAGMA {name}")
