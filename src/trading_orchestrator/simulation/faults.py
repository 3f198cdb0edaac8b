"""What can go wrong, as a table: every kind of fault, and how often it strikes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

import msgspec


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
    FORGOTTEN = "a replica does not know an order that has filled, for longer than the grace (F6)"
    # a report on the stream
    DROPPED = "a report lost while the stream stays up (F11, F12)"
    TWICE = "a report delivered two times (F11)"
    DELAYED = "a report overtaken by later ones (F11, F13)"
    # the stream and the venue as a whole
    MUTE = "the stream stays up and says nothing (F20)"
    CUT = "the stream breaks and comes back (F22)"
    OUTAGE = "nothing reaches the venue and nothing comes back (F39)"
    BLIND = "orders and cancels go through, and nothing is told: questions fail and the streams are mute (F7)"
    HALTED = "the symbol is halted: no price moves and no order is taken (F39)"
    KEY_REVOKED = "the venue refuses the account's key for a while, whatever is asked (F40)"
    # processes
    KILLED = "a node dies at some await (F26)"
    KILLED_AT_COMMIT = "a node dies right before or right after a commit (F26)"
    KILLED_AT_SEND = "a node dies at a named point of the order path (F26)"
    STOPPED = "a node stands still and then goes on (F27, F30)"
    STOPPED_AT_SEND = "a node stands still between its last look at the lease and its bytes (F27)"
    RETIRED = "a node leaves in order and another comes"
    BLACKOUT = "every node dies at once"
    # storage
    COMMIT_REFUSED = "the journal takes nothing (F32)"
    COMMIT_UNKNOWN = "the journal does not say whether it took it"
    COMMIT_TORN = "the disk fails in the middle of a commit (F32)"
    RESTORED = "every node dies and the journal is put back to an earlier copy (F33)"
    # time
    WALL_STEPPED = "the wall clock steps by up to an hour (F35)"
    # people
    HUMAN_ORDERED = "somebody orders and cancels by hand on the same account (F41)"
    HUMAN_CANCELED = "somebody cancels the desk's own orders by hand (F41)"
    TRANSFERRED = "money comes or goes, and is explained to the desk a little later (F41)"
    MODE_ASKED = "an operator halts the desk, drains it or lets it only reduce, and lets it go on"
    DISARMED = "a person takes the permit for real money away, and gives it again"
    KILL_SWITCHED = "an operator turns the kill switch on and lifts it later (F18)"


CALL_KINDS: Mapping[FaultKind, int] = {
    FaultKind.GHOST: 3,
    FaultKind.GARBLED: 3,
    FaultKind.LOST: 2,
    FaultKind.LATE: 4,
    FaultKind.UNSENT: 1,
    FaultKind.BANNED: 1,
}
"""Weights of what befalls a call about one order. After the last two a desk pauses, so that they must be rare."""
SUBMIT_KINDS: Mapping[FaultKind, int] = {**CALL_KINDS, FaultKind.REFUSED: 3, FaultKind.DOUBLED: 3}
QUERY_KINDS: Mapping[FaultKind, int] = {
    FaultKind.LOST: 2,
    FaultKind.UNSENT: 1,
    FaultKind.BANNED: 1,
    FaultKind.LAGGING: 3,
}
FORGOTTEN_RATIO = 0.1
"""Of the questions for orders that have filled unheard: only for those a replica may lag longer than the grace, since
no rule can tell a live order that all questions deny from one that never came."""
REPORT_KINDS: Mapping[FaultKind, int] = {FaultKind.DROPPED: 1, FaultKind.TWICE: 1, FaultKind.DELAYED: 1}
MESSAGE_KINDS: Sequence[FaultKind] = (*SUBMIT_KINDS, FaultKind.LAGGING, FaultKind.FORGOTTEN, *REPORT_KINDS)


class Rates(msgspec.Struct, frozen=True):
    """How often. Ratios are of the calls or reports; `apart_s` is the mean time between two larger faults."""

    submit_ratio: float = 0.0
    query_ratio: float = 0.0
    report_ratio: float = 0.0
    apart_s: float | None = None


RATES: Mapping[str, Rates] = {
    "none": Rates(),
    "light": Rates(submit_ratio=0.03, query_ratio=0.01, report_ratio=0.02, apart_s=6.0),
    "heavy": Rates(submit_ratio=0.20, query_ratio=0.05, report_ratio=0.12, apart_s=1.2),
}


def drawn(weights: Mapping[FaultKind, int]) -> Sequence[FaultKind]:
    """Return each kind as often as its weight, to pick from."""
    return [kind for kind, weight in weights.items() for _ in range(weight)]


LARGE_KINDS: Mapping[FaultKind, int] = {
    FaultKind.MUTE: 2,
    FaultKind.CUT: 2,
    FaultKind.OUTAGE: 1,
    FaultKind.BLIND: 1,
    FaultKind.HALTED: 1,
    FaultKind.KEY_REVOKED: 1,
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
    FaultKind.BLACKOUT: 1,
    FaultKind.HUMAN_ORDERED: 3,
    FaultKind.HUMAN_CANCELED: 1,
    FaultKind.TRANSFERRED: 2,
    FaultKind.MODE_ASKED: 2,
    FaultKind.KILL_SWITCHED: 2,
    FaultKind.DISARMED: 1,
}
"""Weights of the larger faults. RESTORED is none of them: a world knows at its birth whether it will meet one."""
