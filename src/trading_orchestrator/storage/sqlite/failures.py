"""What SQLite's errors mean to a caller of the journal."""

from __future__ import annotations

from pathlib import Path

import apsw

from trading_orchestrator.errors import Broken, OrchestratorError, Refused
from trading_orchestrator.storage.ports import JournalCorrupt, StorageLocked, StorageUnavailable


class JournalUnwritable(Refused):
    """The journal's file or directory cannot be opened or written by this user. Facts: path."""

    code = "journal.unwritable"


class JournalMissing(Refused):
    """There is no journal where one was expected. Facts: path."""

    code = "journal.missing"


class StorageBroken(Broken):
    """SQLite refused what we asked for in a way that only a bug of ours explains. Facts: path."""

    code = "storage.broken"


_UNAVAILABLE: tuple[tuple[type[apsw.Error], str], ...] = (
    (apsw.FullError, "the disk is full: free space on it"),
    (apsw.BusyError, "another process kept it locked too long"),
    (apsw.LockedError, "it is locked"),
    (apsw.ReadOnlyError, "it is read-only: make the file and its directory writable"),
    (apsw.CantOpenError, "it cannot be opened: check that its directory exists and is writable"),
    (apsw.PermissionsError, "access is denied: check the owner of the file"),
    (apsw.IOError, "the disk reports an input/output error: check the disk"),
    (apsw.NoMemError, "memory ran out"),
    (apsw.InterruptError, "the query was interrupted"),
)

_LOCKED = (apsw.BusyError, apsw.LockedError)


def explain(error: apsw.Error | UnicodeDecodeError, path: Path) -> OrchestratorError:
    """Return our error for one of SQLite's, met on an open journal. Nothing was written by what failed."""
    if isinstance(error, UnicodeDecodeError):  # SQLite hands out the bytes of a text as they are
        return corrupt(path, "a name in it is no text")
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return corrupt(path, str(error))
    for kind, why in _UNAVAILABLE:
        if isinstance(error, kind):
            ours = StorageLocked if kind in _LOCKED else StorageUnavailable
            return ours(f"journal {path}: {why} ({error})", retry_after_s=0.1, path=str(path))
    return StorageBroken(f"journal {path}: {type(error).__name__}: {error}", path=str(path))


def explain_opening(error: apsw.Error | UnicodeDecodeError, path: Path) -> OrchestratorError:
    """Return our error for one of SQLite's, met while opening: waiting does not cure a wrong path or permission."""
    if isinstance(error, apsw.ReadOnlyError | apsw.CantOpenError | apsw.PermissionsError):
        return JournalUnwritable(
            f"journal {path} cannot be opened for writing ({error}): "
            "make the file and its directory writable for this user, or choose another data directory",
            path=str(path),
        )
    return explain(error, path)


def corrupt(path: Path, what: str) -> JournalCorrupt:
    """Return the error for a file that does not read back as it was written."""
    return JournalCorrupt(
        f"journal {path} is damaged ({what}): stop every node, keep a copy of the file, "
        "run `journal verify` to find the first broken link, then restore a backup",
        path=str(path),
    )
