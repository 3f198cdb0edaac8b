"""Signs: facts of the journal by which a drill sees what the system says of a failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trading_orchestrator.drills.evidence import JournalFact


@dataclass(frozen=True)
class Sign:
    """`name`: as it stands in the table. `shows`: whether a fact is this sign."""

    name: str
    shows: Callable[[JournalFact], bool]


def incident(failure: str) -> Sign:
    """Return the sign that a failure was found to be of this class, at once or when it turned out worse."""
    kinds = ("incident.opened", "incident.reclassified")
    return Sign(failure, lambda fact: fact.kind in kinds and fact.body["failure"] == failure)


def said(kind: str, **body: object) -> Sign:
    """Return the sign that a fact of this kind was written, with these values among its own."""
    return Sign(kind, lambda fact: fact.kind == kind and body.items() <= fact.body.items())
