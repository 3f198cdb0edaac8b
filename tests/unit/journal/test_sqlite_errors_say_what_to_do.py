"""Every error of the engine becomes one that says what the caller may do next, in one sentence with the path."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from trading_orchestrator.errors import Broken, Refused, Transient
from trading_orchestrator.storage.sqlite.failures import explain, explain_opening

PATH = Path("data/journal.db")


@pytest.mark.parametrize(
    ("error", "family", "says"),
    [
        (apsw.FullError, Transient, "free space"),
        (apsw.BusyError, Transient, "another process kept it locked"),
        (apsw.IOError, Transient, "check the disk"),
        (apsw.ReadOnlyError, Transient, "make the file and its directory writable"),
        (apsw.CorruptError, Broken, "restore a backup"),
        (apsw.NotADBError, Broken, "restore a backup"),
        (apsw.ConstraintError, Broken, "ConstraintError"),
    ],
)
def test_on_an_open_journal(error: type[apsw.Error], family: type[Exception], says: str) -> None:
    explained = explain(error("told by SQLite"), PATH)

    assert isinstance(explained, family)
    assert says in explained.message
    assert {"path": "data/journal.db"} == explained.facts
    assert "data/journal.db" in explained.message
    assert "told by SQLite" in explained.message


@pytest.mark.parametrize("error", [apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError])
def test_waiting_does_not_cure_a_wrong_permission_at_opening(error: type[apsw.Error]) -> None:
    assert isinstance(explain_opening(error("told by SQLite"), PATH), Refused)
    assert isinstance(explain_opening(apsw.BusyError("told by SQLite"), PATH), Transient)
