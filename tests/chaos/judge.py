"""The judge of drills, for chaos runs as well."""

from __future__ import annotations

from trading_orchestrator.drills.evidence import Evidence, JournalFact, read_journal
from trading_orchestrator.drills.judge import findings, unanswered, wrongs

__all__ = ["Evidence", "JournalFact", "findings", "read_journal", "unanswered", "wrongs"]
