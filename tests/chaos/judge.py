"""The judge of drills, for chaos runs as well."""

from __future__ import annotations

from trading_orchestrator.drills.judge import Evidence, JournalFact, read_journal, wrongs

__all__ = ["Evidence", "JournalFact", "read_journal", "wrongs"]
