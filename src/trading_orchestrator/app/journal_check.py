"""The check of a journal's file: where the chain's rules meet the engine that the file belongs to."""

from __future__ import annotations

from pathlib import Path

from trading_orchestrator.journal.verify import VerifyReport, verify_scan
from trading_orchestrator.storage.sqlite.scan import open_scan


def verify(path: Path) -> VerifyReport:
    """Check the journal file at `path` without changing it, beside living nodes or alone.

    Raises:
        JournalMissing, NotAJournal, JournalNewer: there is nothing this program can verify.
        JournalCorrupt: the file is no readable database at all.

    Cost: see benchmarks/journal.py.
    """
    scan = open_scan(path)
    try:
        return verify_scan(scan)
    finally:
        scan.close()
