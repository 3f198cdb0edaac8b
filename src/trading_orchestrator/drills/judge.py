"""The judge: reads the venue's log and the journal, nothing else, and says what is wrong."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw

PREFIX = "to"
JUDGED = ("order.intended", "trade.booked")


@dataclass(frozen=True)
class JournalFact:
    """A fact as it stands in the file; read with plain SQL, so that our own reader cannot hide a fault."""

    pos: int
    at_ns: int
    node: str
    epoch: int
    stream: str
    kind: str
    body: dict[str, Any]


def read_journal(path: Path, after_pos: int = 0, *, bodies_of: Sequence[str] | None = None) -> list[JournalFact]:
    """Return every fact after `after_pos`, oldest first.

    Args:
        bodies_of: read the bodies of these kinds alone; a journal of hours has a million facts. None reads all.
    """
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(5000)
    try:
        rows = connection.execute(
            "SELECT facts.pos, at_ns, node, epoch, heads.stream, kind, body FROM facts "
            "JOIN heads ON heads.id = facts.stream WHERE facts.pos > ? ORDER BY facts.pos",
            (after_pos,),
        )
        return [
            JournalFact(
                pos,
                at_ns,
                node,
                epoch,
                stream,
                kind,
                json.loads(body) if bodies_of is None or kind in bodies_of else {},
            )
            for pos, at_ns, node, epoch, stream, kind, body in rows
        ]
    finally:
        connection.close()


@dataclass
class Evidence:
    """Both accounts of the same events. `venue`: the venue's log; `facts`: the journal."""

    venue: Sequence[dict[str, Any]]
    facts: Sequence[JournalFact]

    def intents(self) -> dict[str, JournalFact]:
        """Return the order.intended facts by client order id."""
        return {fact.body["order"]["cl_ord_id"]: fact for fact in self._of("order.intended")}

    def booked(self) -> Counter[str]:
        """Return how often each venue trade id was booked."""
        return Counter(str(fact.body["trade"]["trade_id"]) for fact in self._of("trade.booked"))

    def venue_orders(self) -> list[dict[str, Any]]:
        return [fact for fact in self.venue if fact["kind"] == "order.accepted" and not fact.get("external")]

    def venue_trades(self) -> list[dict[str, Any]]:
        """Return every trade of the account, a human's too: they move its position like ours."""
        return [fact for fact in self.venue if fact["kind"] == "order.traded"]

    def _of(self, kind: str) -> list[JournalFact]:
        return [fact for fact in self.facts if fact.kind == kind]


def wrongs(evidence: Evidence) -> list[str]:
    """Return one sentence for each broken promise; an empty list is the acquittal."""
    return [
        *_doubled_orders(evidence),
        *_orphans(evidence),
        *_trades(evidence),
        *_position(evidence),
        *_epochs(evidence),
    ]


def _doubled_orders(evidence: Evidence) -> list[str]:
    """I1: per (intent, generation) at most one venue order; the id is a pure function of both."""
    accepted = Counter(order["client_order_id"] for order in evidence.venue_orders())
    doubled = [f"order {name} was accepted {count} times" for name, count in accepted.items() if count > 1]
    intents = Counter((fact.body["intent_id"], fact.body.get("generation", 0)) for fact in evidence.intents().values())
    return doubled + [f"intent {intent} has {count} client order ids" for intent, count in intents.items() if count > 1]


def _orphans(evidence: Evidence) -> list[str]:
    """I2: no byte without a durable intent."""
    known = evidence.intents()
    return [
        f"order {order['client_order_id']} is at the venue and not in the journal"
        for order in evidence.venue_orders()
        if order["client_order_id"] not in known
    ]


def _trades(evidence: Evidence) -> list[str]:
    """I3: every venue trade booked exactly once."""
    booked = evidence.booked()
    at_venue = {str(trade["trade_id"]) for trade in evidence.venue_trades()}
    return [
        *(f"trade {trade} was booked {count} times" for trade, count in booked.items() if count > 1),
        *(f"trade {trade} was never booked" for trade in sorted(at_venue - set(booked))),
        *(f"trade {trade} was booked and does not exist" for trade in sorted(set(booked) - at_venue)),
    ]


def _position(evidence: Evidence) -> list[str]:
    """I3: the position that follows from the bookings is the one that follows from the venue's trades."""
    ours = sum(
        (_signed(fact.body["trade"]["side"], fact.body["trade"]["last_qty"]) for fact in evidence.facts
         if fact.kind == "trade.booked"),
        Decimal(0),
    )  # fmt: skip
    theirs = sum((_signed(trade["side"], trade["qty"]) for trade in evidence.venue_trades()), Decimal(0))
    return [f"position: expected {theirs} as at the venue, was {ours}"] if ours != theirs else []


def _epochs(evidence: Evidence) -> list[str]:
    """I9: the epoch of a desk's facts never goes back."""
    highest: dict[str, int] = {}
    wrong = []
    for fact in evidence.facts:
        if fact.stream.startswith("desk/"):
            if fact.epoch < highest.get(fact.stream, 0):
                wrong.append(f"fact {fact.pos} of {fact.stream} has epoch {fact.epoch} after {highest[fact.stream]}")
            highest[fact.stream] = max(fact.epoch, highest.get(fact.stream, 0))
    return wrong


def _signed(side: str, qty: str) -> Decimal:
    return Decimal(qty) if side.lower() == "buy" else -Decimal(qty)
