"""Which fault can meet which order state: all but the pairs of this table, each with its reason.

A fault that befalls a message meets the order of that message. A larger one meets every order for which something is
still to come: open, in doubt, with fills missing, with a request undecided, or ended so lately that not everybody has
heard of it. The state is the journal's. Some meetings last for milliseconds; the simulation aims at them (`aims.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import product
from typing import NamedTuple

from trading_orchestrator.simulation.faults import FaultKind
from trading_orchestrator.trading.orders.life import At


class Pairs(NamedTuple):
    """Some pairs that no run has to bring about, and why; where they cannot meet, a run in which they do fails."""

    kinds: Collection[FaultKind]
    states: Collection[At]
    why: str
    can_meet: bool = False


_CALLS = (FaultKind.GHOST, FaultKind.GARBLED, FaultKind.LATE)
_SUBMITS = (FaultKind.REFUSED, FaultKind.DOUBLED)
_REPORTS = (FaultKind.DROPPED, FaultKind.TWICE, FaultKind.DELAYED)

TABLE: Sequence[Pairs] = (
    Pairs(
        _SUBMITS,
        [state for state in At if state is not At.PENDING_NEW],
        "only a submit can be refused or taken for a duplicate, and an order is submitted once, while it is pending",
    ),
    Pairs(
        _REPORTS,
        (At.FILLED, At.CANCELED, At.EXPIRED, At.REJECTED, At.ABANDONED),
        "the venue says an order's last word before anybody can know it, and of an abandoned one it never says a word",
    ),
    Pairs(
        [FaultKind.FORGOTTEN],
        (At.PARTIALLY_FILLED, At.FILLED, At.CANCELED, At.EXPIRED, At.REJECTED, At.ABANDONED),
        "it strikes orders that have filled at the venue, and nobody has heard of any fill",
    ),
    Pairs(
        _CALLS,
        [At.ABANDONED],
        "a cancel that waited out a ban leaves though its order was given up meanwhile: no harm, and once in 200 seeds",
        can_meet=True,
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
    return pairs.why if pairs is not None and not pairs.can_meet else ""
