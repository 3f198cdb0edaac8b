"""A journal file opened for verification: read-only, in short transactions, beside living nodes or alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import apsw

from trading_orchestrator.storage.ports import Fact
from trading_orchestrator.storage.scan import Bounds
from trading_orchestrator.storage.sqlite import queries
from trading_orchestrator.storage.sqlite.connection import connect_scanner
from trading_orchestrator.storage.sqlite.failures import JournalMissing, explain, explain_opening
from trading_orchestrator.storage.sqlite.schema import inspect, shipped_migrations

T = TypeVar("T")


class SqliteScan:
    """One read-only connection. Use from one thread."""

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self._path = path
        self._connection = connection

    def bounds(self) -> Bounds:
        def both(connection: apsw.Connection) -> Bounds:
            connection.execute("BEGIN")  # one transaction: heads and facts of the same moment
            try:
                return Bounds(queries.heads(connection), queries.last_pos(connection))
            finally:
                connection.execute("ROLLBACK")

        return self._explained(both)

    def facts(self, after_pos: int, limit: int) -> Sequence[Fact]:
        return self._explained(lambda connection: queries.facts_as_stored(connection, after_pos, limit))

    def damage(self) -> str | None:
        def check(connection: apsw.Connection) -> str | None:
            said = str(next(connection.execute("PRAGMA integrity_check(1)"))[0])
            return None if said == "ok" else said.replace("\n", " ")

        return self._explained(check)

    def close(self) -> None:
        self._connection.close(True)

    def _explained(self, query: Callable[[apsw.Connection], T]) -> T:
        try:
            return query(self._connection)
        except (apsw.Error, UnicodeDecodeError) as error:
            raise explain(error, self._path) from error


def open_scan(path: Path) -> SqliteScan:
    """Return a scan of the journal at `path`; the file is not changed.

    Raises:
        JournalMissing, NotAJournal, JournalUnwritable: the path is wrong.
        JournalNewer, JournalCorrupt: it cannot be read with this program, or at all.
    """
    if not path.exists() or path.stat().st_size == 0:
        raise JournalMissing(f"there is no journal at {path}: name the data directory of a journal", path=str(path))
    inspect(path, newest=shipped_migrations()[-1].version, tolerant=True)
    try:
        return SqliteScan(path, connect_scanner(path, tolerant=True))
    except apsw.Error as error:
        raise explain_opening(error, path) from error
