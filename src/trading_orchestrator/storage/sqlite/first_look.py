"""A look through the pages of a journal that nobody uses yet: better a start that is refused than half a journal."""

from __future__ import annotations

from pathlib import Path

import apsw

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.storage.sqlite.connection import connect_scanner
from trading_orchestrator.storage.sqlite.failures import corrupt, explain_opening
from trading_orchestrator.storage.sqlite.schema import inspect, shipped_migrations

LOOK_S = 0.5
"""About 400 MB of journal (measured: 0.8 GB/s from memory); `journal verify` reads every fact and takes its time."""
ASK_EVERY_STEPS = 10_000


def look_through(path: Path, *, clock: Clock, within_s: float = LOOK_S, unused: bool = False) -> None:
    """Return when every page reads back, or time is up. Read-only and blocking: runs on a thread.

    Args:
        unused: nobody is about to open it, so nothing need be put beside it.

    Raises:
        JournalCorrupt: a page does not; the file was not changed.
        JournalNewer, NotAJournal: this program cannot read it.
        JournalUnwritable, StorageUnavailable: it cannot be opened.
    """
    if not path.exists() or path.stat().st_size == 0:
        return
    inspect(path, newest=shipped_migrations()[-1].version, unused=unused)
    until_ns = clock.monotonic_ns() + round(within_s * 1e9)
    try:
        connection = connect_scanner(path, unused=unused)
        try:
            connection.set_progress_handler(lambda: clock.monotonic_ns() > until_ns, ASK_EVERY_STEPS)
            said = str(next(connection.execute("PRAGMA quick_check(1)"))[0])
        finally:
            connection.close(True)
    except apsw.InterruptError:
        return
    except apsw.Error as error:
        raise explain_opening(error, path) from error
    if said != "ok":
        raise corrupt(path, " ".join(said.replace("*** in database main ***", "").split()))
