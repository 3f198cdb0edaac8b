"""The schema: numbered, checksummed migrations, and a look at the file before anything touches it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path

import apsw
import msgspec

from trading_orchestrator.errors import Broken, Refused
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.ids import RandomBytes, new_id
from trading_orchestrator.storage.ports import JournalNewer
from trading_orchestrator.storage.sqlite.connection import connect_scanner
from trading_orchestrator.storage.sqlite.failures import corrupt, explain_opening

APPLICATION_ID = 0x544F4A31  # "TOJ1", also in 0001_journal.sql
_MAGIC = b"SQLite format 3\0"
_LEDGER = (
    "CREATE TABLE IF NOT EXISTS migrations"
    " (version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at_ns INTEGER NOT NULL) STRICT"
)


class NotAJournal(Refused):
    """The file is a SQLite database of another program. Facts: path."""

    code = "journal.not_a_journal"


class MigrationChanged(Broken):
    """A migration that was applied differs from the one shipped. Facts: path, version."""

    code = "journal.migration_changed"


class Migration(msgspec.Struct, frozen=True):
    """One numbered step of the schema; the checksum is of its whole text."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return blake2b(self.sql.encode(), digest_size=16).hexdigest()


def shipped_migrations() -> Sequence[Migration]:
    """Return the migrations of this release, first version first."""
    found = [
        Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8"))
        for entry in files(__package__).joinpath("migrations").iterdir()
        if (match := re.fullmatch(r"(\d{4})_(\w+)\.sql", entry.name))
    ]
    return sorted(found, key=lambda migration: migration.version)


def inspect(path: Path, *, newest: int, tolerant: bool = False, unused: bool = False) -> None:
    """Look at an existing file without changing it; `tolerant` passes one that lacks its end.

    Args:
        unused: nobody is about to open it, so nothing need be put beside it.

    Raises:
        JournalNewer: its schema is newer than `newest`.
        JournalCorrupt: it is not a readable database.
        NotAJournal: it is somebody else's database.
    """
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise corrupt(path, "it is not an SQLite database")
    try:
        connection = connect_scanner(path, tolerant=tolerant, unused=unused)
        try:
            application_id = _number(connection, "PRAGMA application_id")
            version = _number(connection, "PRAGMA user_version")
            tables = _number(connection, "SELECT count(*) FROM sqlite_schema")
        finally:
            connection.close()
    except (apsw.Error, UnicodeDecodeError) as error:
        raise explain_opening(error, path) from error
    if tables and application_id != APPLICATION_ID:
        raise NotAJournal(f"{path} is a database of another program: choose another data directory", path=str(path))
    if version > newest:
        raise JournalNewer(
            f"journal {path} has schema {version}, this program knows up to {newest}: "
            "start the newer version that wrote it; nothing was changed",
            path=str(path),
            found=version,
            known=newest,
        )


def migrate(
    connection: apsw.Connection, path: Path, *, steps: Sequence[Migration], clock: Clock, random_bytes: RandomBytes
) -> None:
    """Apply what is missing in one transaction; a journal that two processes create is created once."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        have = _number(connection, "PRAGMA user_version")
        if have == 0:
            connection.execute(_LEDGER)
        _check_applied(connection, path, steps)
        for step in steps:
            if step.version > have:
                _apply(connection, step, clock)
        if have == 0:
            journal_id = new_id(clock.wall_ns(), random_bytes)
            connection.execute("INSERT INTO meta (key, value) VALUES ('journal_id', ?)", (journal_id,))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def read_journal_id(connection: apsw.Connection) -> str:
    """Return the random id minted with the journal."""
    for (journal_id,) in connection.execute("SELECT value FROM meta WHERE key = 'journal_id'"):
        return str(journal_id)
    raise apsw.CorruptError("its id is missing")


def _check_applied(connection: apsw.Connection, path: Path, steps: Sequence[Migration]) -> None:
    known = {step.version: step.checksum for step in steps}
    for version, checksum in connection.execute("SELECT version, checksum FROM migrations ORDER BY version"):
        if known.get(version) != checksum:
            raise MigrationChanged(
                f"journal {path}: migration {version} was applied with another text than this program ships: "
                "install the release that wrote the journal",
                path=str(path),
                version=version,
            )


def _apply(connection: apsw.Connection, step: Migration, clock: Clock) -> None:
    connection.execute(step.sql)
    connection.execute(
        "INSERT INTO migrations (version, name, checksum, applied_at_ns) VALUES (?, ?, ?, ?)",
        (step.version, step.name, step.checksum, clock.wall_ns()),
    )
    connection.execute(f"PRAGMA user_version = {step.version}")


def _number(connection: apsw.Connection, sql: str) -> int:
    return int(next(connection.execute(sql))[0])
