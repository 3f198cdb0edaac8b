"""What is judged: the venue's log and the journal, read with plain SQL so that our own reader cannot hide a fault."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

ENDS = ("order.canceled", "order.expired")
"""Kinds of the venue's log that end an order; a trade that fills it does too."""


@dataclass(frozen=True)
class JournalFact:
    """A fact as it stands in the file."""

    pos: int
    at_ns: int
    node: str
    epoch: int
    stream: str
    kind: str
    body: dict[str, Any]

    @property
    def happened_ns(self) -> int:
        """Return when it happened: what a journal could not take at once carries its own time."""
        return int(self.body.get("at_ns") or self.at_ns)


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

    def accepted(self) -> set[str]:
        """Return the client order ids of which the journal says that the venue has them."""
        return {str(fact.body["report"]["cl_ord_id"]) for fact in self._of("order.accepted")}

    def venue_orders(self) -> list[dict[str, Any]]:
        return [fact for fact in self.venue if fact["kind"] == "order.accepted" and not fact.get("external")]

    def venue_open(self) -> list[str]:
        """Return the client order ids of our orders that the venue still works, oldest first."""
        working: dict[str, None] = {}
        for fact in self.venue:
            if fact["kind"] == "order.accepted" and not fact.get("external"):
                working[fact["client_order_id"]] = None
            elif fact["kind"] in ENDS or fact.get("order_status") == "FILLED":
                working.pop(fact["client_order_id"], None)
        return list(working)

    def venue_trades(self) -> list[dict[str, Any]]:
        """Return every trade of the account, a human's too: they move its position like ours."""
        return [fact for fact in self.venue if fact["kind"] == "order.traded"]

    def _of(self, kind: str) -> list[JournalFact]:
        return [fact for fact in self.facts if fact.kind == kind]
