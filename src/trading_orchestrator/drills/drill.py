"""A drill: a real fault, how it must be noticed, and what proves that it is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from trading_orchestrator.drills.arena import Arena
from trading_orchestrator.drills.judge import JournalFact

Injection = Callable[[Arena], None]


@dataclass(frozen=True)
class Drill:
    """One exercise.

    what: in one sentence, for the table.
    inject: does the damage from outside, and undoes what does not end by itself; returns when both are done.
    detects: whether a fact shows that the system noticed.
    detected_within_s: from the end of the injection.
    within_s: after the fault has ended, the system must trade again within this time.
    answered_by: whether a fact is the answer of the system that ends the fault, for one that does not end by itself.
    more: config of its own; the drill then gets an arena of its own.
    ends: `trades`, an order is accepted again without anybody's help; `halts`, the desk stops safely and says so, and
        `repair` is what a person does then.
    """

    name: str
    what: str
    inject: Injection
    detects: Callable[[JournalFact], bool]
    detected_within_s: float = 20.0
    within_s: float = 30.0
    answered_by: Callable[[JournalFact], bool] | None = None
    ends: Literal["trades", "halts"] = "trades"
    repair: Injection | None = None
    more: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a drill showed. Times count from the injection; `outage_s`: how long the fault itself lasted."""

    drill: str
    detected_after_s: float | None
    recovered_after_s: float | None
    outage_s: float
    lost: int
    doubled: int
    wrongs: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return self.detected_after_s is not None and self.recovered_after_s is not None and not self.wrongs
