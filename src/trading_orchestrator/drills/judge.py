"""The judge: reads the venue's log and the journal, nothing else, and says what is wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from trading_orchestrator.drills.evidence import Evidence, JournalFact

ANSWERS = ("order.accepted", "order.refused", "order.ended", "order.abandoned")
NEVER_THERE = ("order.refused", "order.abandoned")
"""The answers that say that the venue never had the order; whoever reads one may decide again."""
JUDGED = ("order.intended", "trade.booked", "order.reopened", *ANSWERS)
"""The kinds whose bodies it reads."""


@dataclass(frozen=True)
class Finding:
    """One broken promise. `lost`: one account has it and the other does not, or nobody knows; `doubled`: there are
    two where one was meant; `untrue`: the accounts contradict each other otherwise.
    """

    kind: Literal["lost", "doubled", "untrue"]
    sentence: str


def wrongs(evidence: Evidence) -> list[str]:
    """Return one sentence for each broken promise; an empty list is the acquittal."""
    return [finding.sentence for finding in findings(evidence)]


def findings(evidence: Evidence) -> list[Finding]:
    """Return every broken promise but those that time may still mend (`unanswered`)."""
    return [
        *_doubled_orders(evidence),
        *_orphans(evidence),
        *_invented(evidence),
        *_disowned(evidence),
        *_ended_too_early(evidence),
        *_trades(evidence),
        *_position(evidence),
        *_epochs(evidence),
    ]


def unanswered(evidence: Evidence) -> list[Finding]:
    """Return the orders whose fate the journal does not tell: on their way, in doubt, or in quarantine."""
    told = {_order_of(fact) for fact in evidence.facts if fact.kind in ANSWERS or fact.kind == "trade.booked"}
    return [
        Finding("lost", f"order {name} has no answer in the journal") for name in evidence.intents() if name not in told
    ]


def _order_of(fact: JournalFact) -> str:
    """Return the client order id that an answer or a booking is about."""
    body = fact.body
    return str(body.get("cl_ord_id") or body.get("report", {}).get("cl_ord_id", ""))


def _doubled_orders(evidence: Evidence) -> list[Finding]:
    """I1: per intent at most one venue order, whatever its generation: a new one follows proof that none was there.

    The client order id is a pure function of (desk, intent, generation).
    """
    known = evidence.intents()
    accepted = Counter(order["client_order_id"] for order in evidence.venue_orders())
    intents = Counter((fact.stream, fact.body["intent_id"], fact.body.get("generation", 0)) for fact in known.values())
    taken = Counter((known[name].stream, known[name].body["intent_id"]) for name in accepted if name in known)
    return [
        *(Finding("doubled", f"order {name} was accepted {n} times") for name, n in accepted.items() if n > 1),
        *(
            Finding("doubled", f"generation {number} of intent {intent} of {desk} has {n} order ids")
            for (desk, intent, number), n in intents.items()
            if n > 1
        ),
        *(
            Finding("doubled", f"intent {intent} of {desk} has {n} orders at the venue")
            for (desk, intent), n in taken.items()
            if n > 1
        ),
    ]


def _orphans(evidence: Evidence) -> list[Finding]:
    """I2: no byte without a durable intent."""
    known = evidence.intents()
    return [
        Finding("lost", f"order {order['client_order_id']} is at the venue and not in the journal")
        for order in evidence.venue_orders()
        if order["client_order_id"] not in known
    ]


def _invented(evidence: Evidence) -> list[Finding]:
    """What the journal calls accepted is at the venue: a belief without an order is as bad as the reverse."""
    at_venue = {order["client_order_id"] for order in evidence.venue_orders()}
    accepted = evidence.accepted()
    return [
        Finding("lost", f"order {name} is accepted in the journal and the venue never had it")
        for name in evidence.intents()
        if name in accepted and name not in at_venue
    ]


def _disowned(evidence: Evidence) -> list[Finding]:
    """I4: what the venue accepted was never called refused or abandoned, not even until somebody knew better."""
    at_venue = {order["client_order_id"] for order in evidence.venue_orders()}
    told = ((_order_of(fact), fact.kind.removeprefix("order.")) for fact in evidence.facts if fact.kind in NEVER_THERE)
    return [
        Finding("lost", f"order {name} was accepted at the venue and is {word} in the journal")
        for name, word in told
        if name in at_venue
    ]


def _ended_too_early(evidence: Evidence) -> list[Finding]:
    """I4: what is open at the venue is not ended in the journal."""
    ended: dict[str, bool] = {}
    for fact in evidence.facts:
        if fact.kind in ("order.ended", "order.reopened"):
            ended[_order_of(fact)] = fact.kind == "order.ended"
    return [
        Finding("lost", f"order {name} is open at the venue and ended in the journal")
        for name in evidence.venue_open()
        if ended.get(name)
    ]


def _trades(evidence: Evidence) -> list[Finding]:
    """I3: every venue trade booked exactly once."""
    booked = evidence.booked()
    at_venue = {str(trade["trade_id"]) for trade in evidence.venue_trades()}
    invented = sorted(set(booked) - at_venue)
    return [
        *(Finding("doubled", f"trade {trade} was booked {n} times") for trade, n in booked.items() if n > 1),
        *(Finding("lost", f"trade {trade} was never booked") for trade in sorted(at_venue - set(booked))),
        *(Finding("untrue", f"trade {trade} was booked and does not exist") for trade in invented),
    ]


def _position(evidence: Evidence) -> list[Finding]:
    """I3: the position that follows from the bookings is the one that follows from the venue's trades."""
    ours = sum(
        (_signed(fact.body["trade"]["side"], fact.body["trade"]["last_qty"]) for fact in evidence.facts
         if fact.kind == "trade.booked"),
        Decimal(0),
    )  # fmt: skip
    theirs = sum((_signed(trade["side"], trade["qty"]) for trade in evidence.venue_trades()), Decimal(0))
    said = f"position: expected {theirs} as at the venue, was {ours}"
    return [Finding("untrue", said)] if ours != theirs else []


def _epochs(evidence: Evidence) -> list[Finding]:
    """I9: the epoch of a desk's facts never goes back."""
    highest: dict[str, int] = {}
    wrong = []
    for fact in evidence.facts:
        if fact.stream.startswith("desk/"):
            if fact.epoch < highest.get(fact.stream, 0):
                said = f"fact {fact.pos} of {fact.stream} has epoch {fact.epoch} after {highest[fact.stream]}"
                wrong.append(Finding("untrue", said))
            highest[fact.stream] = max(fact.epoch, highest.get(fact.stream, 0))
    return wrong


def _signed(side: str, qty: str) -> Decimal:
    return Decimal(qty) if side.lower() == "buy" else -Decimal(qty)
