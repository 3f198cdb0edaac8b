"""The life of an order as a table, in the words of FIX 4.4 (OrdStatus, tag 39) and three of our own.

A status is never set. An order holds evidence; its status is the walk of this table over that evidence
in one fixed order (`Order.evidence`), so the order in which frames arrive cannot matter, and evidence
that contradicts itself has no walk at all (NoSuchTransition).

A cancel or replace on its way is a REQUEST with a machine of its own (`requests.py`): were it a
state here, a refused cancel would have to remember which state it came from.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from trading_orchestrator.kernel.machine import Machine, Row


class At(Enum):
    """Where an order is, by the best evidence we hold."""

    PENDING_NEW = "pending_new"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    QUARANTINED = "quarantined"
    ABANDONED = "abandoned"

    __hash__ = object.__hash__  # members are single; Enum's own hash is Python, and a desk looks up millions


class On(Enum):
    """One piece of evidence. Declared in the order in which `walk` reads them."""

    REFUSED = "refused"
    ACCEPTED = "accepted"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    PART_TRADED = "part_traded"
    FULLY_TRADED = "fully_traded"
    DOUBTED = "doubted"
    QUARANTINED = "quarantined"
    PROVED_ABSENT = "proved_absent"

    __hash__ = object.__hash__


ORDER_LIFE: Machine[At, On] = Machine(
    name="order",
    start=At.PENDING_NEW,
    rows=(
        Row(At.PENDING_NEW, On.REFUSED, At.REJECTED, "a definite no, proven to come before matching"),
        Row(At.PENDING_NEW, On.ACCEPTED, At.NEW, "an ack, a trade and an end are each proof that the venue had it"),
        Row(At.PENDING_NEW, On.DOUBTED, At.UNKNOWN, "one ambiguous answer never means rejected"),
        Row(At.REJECTED, On.ACCEPTED, At.NEW, "the venue's own report of the order beats a refusal we read"),
        Row(At.REJECTED, On.PART_TRADED, At.REJECTED, "a half-filled order can be rejected (Bybit does): fills stay"),
        Row(At.REJECTED, On.FULLY_TRADED, At.FILLED, "FILLED > CANCELED, EXPIRED > REJECTED"),
        Row(At.NEW, On.CANCELED, At.CANCELED),
        Row(At.NEW, On.EXPIRED, At.EXPIRED),
        Row(At.NEW, On.REJECTED, At.REJECTED, "e.g. a stop refused at the moment it triggers"),
        Row(At.NEW, On.PART_TRADED, At.PARTIALLY_FILLED),
        Row(At.NEW, On.FULLY_TRADED, At.FILLED),
        Row(At.NEW, On.DOUBTED, At.UNKNOWN, "it vanished from the venue's open orders and nothing says why"),
        Row(At.PARTIALLY_FILLED, On.DOUBTED, At.UNKNOWN, "vanished half filled (F15)"),
        Row(At.CANCELED, On.PART_TRADED, At.CANCELED, "terminal is not deaf: the late trade is booked"),
        Row(At.CANCELED, On.FULLY_TRADED, At.FILLED, "the fill won the race against the cancel"),
        Row(At.EXPIRED, On.PART_TRADED, At.EXPIRED, "terminal is not deaf"),
        Row(At.EXPIRED, On.FULLY_TRADED, At.FILLED),
        Row(At.UNKNOWN, On.QUARANTINED, At.QUARANTINED, "rule R5: past its budget; exposure stays reserved"),
        Row(At.UNKNOWN, On.PROVED_ABSENT, At.ABANDONED, "rule R4: it is not there and can no longer arrive"),
        Row(At.QUARANTINED, On.PROVED_ABSENT, At.ABANDONED, "the proof came after the budget"),
    ),
    terminal=frozenset({At.FILLED, At.CANCELED, At.EXPIRED, At.REJECTED, At.ABANDONED}),
)


def walk(evidence: Iterable[On]) -> At:
    """Return the status that this evidence, read in this order, amounts to.

    Raises:
        NoSuchTransition: the evidence contradicts itself.
    """
    at = ORDER_LIFE.start
    for on in evidence:
        at = ORDER_LIFE.step(at, on)
    return at
