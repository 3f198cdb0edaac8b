"""Which fault can meet which order state: all but the pairs of this table, each with its reason.

A fault that befalls a message meets the order of that message. A larger one meets every order for which something is
still to come: open, in doubt, with fills missing, or with a request undecided. The state is the journal's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from itertools import product
from typing import NamedTuple

from trading_orchestrator.simulation.faults import LARGE_KINDS, FaultKind
from trading_orchestrator.trading.orders.life import At


class How(Enum):
    """How sure a meeting is."""

    NEVER = "cannot meet: a run in which they do fails"
    BRIEFLY = "can meet, for moments that no number of seeds promises: shown when met, not demanded"


class Pairs(NamedTuple):
    """Some pairs, and why they are not demanded."""

    kinds: Collection[FaultKind]
    states: Collection[At]
    how: How
    why: str


_CALLS = (FaultKind.GHOST, FaultKind.GARBLED, FaultKind.LATE)
_ANY_CALLS = (FaultKind.LOST, FaultKind.UNSENT, FaultKind.BANNED)
_SUBMITS = (FaultKind.REFUSED, FaultKind.DOUBLED)
_REPORTS = (FaultKind.DROPPED, FaultKind.TWICE, FaultKind.DELAYED)
_LARGE = (*LARGE_KINDS, FaultKind.RESTORED)
_ENDED = (At.CANCELED, At.EXPIRED, At.REJECTED)
_CLOSED = (At.FILLED, *_ENDED, At.ABANDONED)

TABLE: Sequence[Pairs] = (
    Pairs(
        _SUBMITS,
        [state for state in At if state is not At.PENDING_NEW],
        How.NEVER,
        "only a submit can be refused or taken for a duplicate, and an order is submitted once, while it is pending",
    ),
    Pairs(
        _REPORTS,
        _CLOSED,
        How.NEVER,
        "the venue says an order's last word before anybody can know it, and of an abandoned one it never says a word",
    ),
    Pairs(
        _REPORTS,
        [At.QUARANTINED],
        How.BRIEFLY,
        "an order that lives is found long before its budget ends, unless an outage lasts as long as the budget",
    ),
    Pairs(
        _CALLS,
        [At.UNKNOWN, At.QUARANTINED],
        How.BRIEFLY,
        "nothing is sent for an order in doubt, but for milliseconds the desk knows that it was found, the journal not",
    ),
    Pairs(_CALLS, [At.ABANDONED], How.NEVER, "nobody cancels what is proved not to be there"),
    Pairs(_CALLS, _ENDED, How.BRIEFLY, "a cancel decided just before the end became known still leaves"),
    Pairs(
        (*_ANY_CALLS, FaultKind.LAGGING),
        (*_ENDED, At.ABANDONED),
        How.BRIEFLY,
        "a question that was under way, or one for fills that are missing, when the end became known",
    ),
    Pairs(
        _LARGE,
        (*_ENDED, At.ABANDONED),
        How.BRIEFLY,
        "a fill is missing, or a cancel undecided, for milliseconds after the end became known",
    ),
)
_PAIR: Mapping[tuple[FaultKind, At], Pairs] = {
    pair: pairs for pairs in TABLE for pair in product(pairs.kinds, pairs.states)
}


def must_meet(kind: FaultKind, state: At) -> bool:
    """Return whether a complete run has seen them meet."""
    return (kind, state) not in _PAIR


def why_never(kind: FaultKind, state: At) -> str:
    """Return why they cannot meet, "" when they can."""
    pairs = _PAIR.get((kind, state))
    return pairs.why if pairs is not None and pairs.how is How.NEVER else ""
