"""The projection rows of the alert engine: its outbox, and what became of each message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.storage.ports import Put

OUTBOX = "alerts/outbox"
SENT = "alerts/sent"
SNAPSHOT = "alerts/snapshot"
SNAPSHOT_KEY = "engine"


class SentRow(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one message: `outcome` is delivered or dropped, `answer` what the receiver or we said."""

    notification_id: str
    outcome: str
    at_ns: int
    answer: str


def puts_of(bodies: Iterable[f.Body]) -> Iterator[Put]:
    """Yield the rows that follow from the facts; the last one of a key counts."""
    for body in bodies:
        match body:
            case f.NotificationDue():
                yield Put(OUTBOX, body.notification_id, body)
            case f.NotificationDelivered():
                yield from _ended(body.notification_id, "delivered", body.at_ns, body.answer)
            case f.NotificationDropped():
                yield from _ended(body.notification_id, "dropped", body.at_ns, body.reason)
            case _:
                continue


def _ended(notification_id: str, outcome: str, at_ns: int, answer: str) -> Iterator[Put]:
    yield Put(OUTBOX, notification_id, None)
    row = SentRow(notification_id=notification_id, outcome=outcome, at_ns=at_ns, answer=answer)
    yield Put(SENT, notification_id, row)
