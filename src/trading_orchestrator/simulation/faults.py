"""What can go wrong, as a table: every kind of fault, how often it strikes, and which order states it can meet."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import msgspec

from trading_orchestrator.trading.orders.life import At


class FaultKind(Enum):
    """One kind of fault; the numbers are those of FAULTS.md where it has one."""

    # a call about one order
    GHOST = "done at the venue, never answered (F1)"
    GARBLED = "done at the venue, answered by a 5xx, a reset or nonsense (F2, F3)"
    LOST = "never arrives, never answered (F4)"
    LATE = "not answered in time, arrives later (F5)"
    UNSENT = "fails before a byte leaves"
    REFUSED = "a definite no"
    BANNED = "turned away unread, with a time to wait (F8)"
    DOUBLED = "a proxy sends it twice: refused as a duplicate while it lives (F9, F10)"
    LAGGING = "a replica answers that does not know it yet (F6)"
    # a report on the stream
    DROPPED = "a report lost while the stream stays up (F11, F12)"
    TWICE = "a report delivered two times (F11)"
    DELAYED = "a report overtaken by later ones (F11, F13)"
    # the stream and the venue as a whole
    MUTE = "the stream stays up and says nothing (F20)"
    CUT = "the stream breaks and comes back (F22)"
    OUTAGE = "nothing reaches the venue and nothing comes back (F7, F39)"
    # processes
    KILLED = "a node dies at some await (F26)"
    KILLED_AT_COMMIT = "a node dies right before or right after a commit (F26)"
    KILLED_AT_SEND = "a node dies at a named point of the order path (F26)"
    STOPPED = "a node stands still and then goes on (F27, F30)"
    STOPPED_AT_SEND = "a node stands still between its last look at the lease and its bytes (F27)"
    RETIRED = "a node leaves in order and another comes"
    # storage
    COMMIT_REFUSED = "the journal takes nothing (F32)"
    COMMIT_UNKNOWN = "the journal does not say whether it took it"
    COMMIT_TORN = "the disk fails in the middle of a commit (F32)"
    # time
    WALL_STEPPED = "the wall clock steps (F35)"


CALL_KINDS = (
    FaultKind.GHOST,
    FaultKind.GARBLED,
    FaultKind.LOST,
    FaultKind.LATE,
    FaultKind.UNSENT,
    FaultKind.BANNED,
)
SUBMIT_KINDS = (*CALL_KINDS, FaultKind.REFUSED, FaultKind.DOUBLED)
QUERY_KINDS = (FaultKind.LOST, FaultKind.UNSENT, FaultKind.BANNED, FaultKind.LAGGING)
REPORT_KINDS = (FaultKind.DROPPED, FaultKind.TWICE, FaultKind.DELAYED)

_OPEN = frozenset({At.PENDING_NEW, At.NEW, At.PARTIALLY_FILLED, At.UNKNOWN})
_ACCEPTED = frozenset({At.NEW, At.PARTIALLY_FILLED})

CAN_MEET: Mapping[FaultKind, frozenset[At]] = {
    FaultKind.GHOST: frozenset({At.PENDING_NEW}) | _ACCEPTED,
    FaultKind.GARBLED: frozenset({At.PENDING_NEW}) | _ACCEPTED,
    FaultKind.LOST: _OPEN,
    FaultKind.LATE: frozenset({At.PENDING_NEW}) | _ACCEPTED,
    FaultKind.UNSENT: _OPEN,
    FaultKind.REFUSED: frozenset({At.PENDING_NEW}),
    FaultKind.BANNED: _OPEN,
    FaultKind.DOUBLED: frozenset({At.PENDING_NEW}),
    FaultKind.LAGGING: frozenset({At.UNKNOWN}),
    FaultKind.DROPPED: _OPEN,
    FaultKind.TWICE: _OPEN,
    FaultKind.DELAYED: _OPEN,
} | {kind: _OPEN for kind in FaultKind if kind not in (*SUBMIT_KINDS, *QUERY_KINDS, *REPORT_KINDS)}
"""Which states an order can be in when a fault strikes it, or strikes while it is open: the coverage table's cells.

PENDING_NEW: nobody asks for an order that is being sent, so only its own submit and the stream meet it.
"""


class Rates(msgspec.Struct, frozen=True):
    """How often. Ratios are of the calls or reports; `apart_s` is the mean time between two larger faults."""

    submit_ratio: float = 0.0
    query_ratio: float = 0.0
    report_ratio: float = 0.0
    apart_s: float | None = None


RATES: Mapping[str, Rates] = {
    "none": Rates(),
    "light": Rates(submit_ratio=0.03, query_ratio=0.01, report_ratio=0.02, apart_s=6.0),
    "heavy": Rates(submit_ratio=0.20, query_ratio=0.05, report_ratio=0.12, apart_s=1.0),
}
LARGE_KINDS: Mapping[FaultKind, int] = {
    FaultKind.MUTE: 2,
    FaultKind.CUT: 2,
    FaultKind.OUTAGE: 1,
    FaultKind.KILLED: 4,
    FaultKind.KILLED_AT_COMMIT: 3,
    FaultKind.KILLED_AT_SEND: 3,
    FaultKind.STOPPED: 3,
    FaultKind.STOPPED_AT_SEND: 2,
    FaultKind.RETIRED: 1,
    FaultKind.COMMIT_REFUSED: 2,
    FaultKind.COMMIT_UNKNOWN: 2,
    FaultKind.COMMIT_TORN: 1,
    FaultKind.WALL_STEPPED: 1,
}
"""Weights of the larger faults."""
