"""A drill: a real fault, as what it must be recognized, and what proves that it is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trading_orchestrator.drills.arena import Arena
from trading_orchestrator.drills.sign import Sign

Injection = Callable[[Arena], None]


@dataclass(frozen=True)
class Drill:
    """One exercise.

    what: in one sentence, for the table.
    inject: does the damage from outside, and undoes what does not end by itself; returns when both are done.
    recognized_as: what the failure must be called, by any of these; that somebody took over or doubts is not enough.
    detected_within_s: from the end of the injection.
    within_s: after the fault has ended, the system must trade again within this time.
    answered_by: the answer of the system that ends the fault, for one that does not end by itself.
    more: config of its own; the drill then gets an arena of its own.
    """

    name: str
    what: str
    inject: Injection
    recognized_as: tuple[Sign, ...]
    detected_within_s: float = 20.0
    within_s: float = 30.0
    answered_by: Sign | None = None
    more: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a drill showed. Times count from the injection; `outage_s`: how long the fault itself lasted.

    recognized_as: the first of its names that was said, "" when none was. incidents: every class that was opened.
    takeover_after_s: when another node took the desk, None when none did.
    recovered_after_s: without anybody's help; None when it did not.
    """

    drill: str
    recognized_as: str
    detected_after_s: float | None
    takeover_after_s: float | None
    recovered_after_s: float | None
    outage_s: float
    lost: int
    doubled: int
    wrongs: tuple[str, ...]
    incidents: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.detected_after_s is not None and self.recovered_after_s is not None and not self.wrongs
