"""The facts of escalation, heartbeats included (stream `ops/alerts`)."""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody must hear about this."""

    kind: ClassVar[str] = "escalation.opened"
    escalation_id: str
    at_ns: int


class Stepped(msgspec.Struct, frozen=True, kw_only=True):
    """A rung was reached and these people are called. Nobody: it was skipped, which an operator must hear."""

    kind: ClassVar[str] = "escalation.stepped"
    escalation_id: str
    at_ns: int
    step: int
    loops: int
    next_at_ns: int
    people: tuple[str, ...]
    multi_ack: bool


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The last rung's wait is over: nobody else will be called."""

    kind: ClassVar[str] = "escalation.ended"
    escalation_id: str
    at_ns: int


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """A person takes it."""

    kind: ClassVar[str] = "escalation.acknowledged"
    escalation_id: str
    at_ns: int
    by: str
    note: str = ""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A person wants the next rung now."""

    kind: ClassVar[str] = "escalation.asked"
    escalation_id: str
    at_ns: int
    by: str


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """It is over."""

    kind: ClassVar[str] = "escalation.closed"
    escalation_id: str
    at_ns: int
    by: str


class Paused(msgspec.Struct, frozen=True, kw_only=True):
    """Maintenance: no rung is climbed before `until_ns`. People who were called already go on being called."""

    kind: ClassVar[str] = "escalation.paused"
    at_ns: int
    until_ns: int


class ContactDue(msgspec.Struct, frozen=True, kw_only=True):
    """A person is to be reached on a channel, about one or several escalations at once."""

    kind: ClassVar[str] = "escalation.contact_due"
    contact_id: str
    at_ns: int
    to: str
    channel: str
    escalations: tuple[str, ...]


class HeartbeatSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A monitor is well from now on; the beats in between are no facts."""

    kind: ClassVar[str] = "heartbeat.seen"
    monitor: str
    at_ns: int


class HeartbeatMissed(msgspec.Struct, frozen=True, kw_only=True):
    """A monitor that was well has been silent for its whole time-out."""

    kind: ClassVar[str] = "heartbeat.missed"
    monitor: str
    at_ns: int


Body = Opened | Stepped | Ended | Acknowledged | Asked | Closed | Paused | ContactDue | HeartbeatSeen | HeartbeatMissed
_BODIES = (Opened, Stepped, Ended, Acknowledged, Asked, Closed, Paused, ContactDue, HeartbeatSeen, HeartbeatMissed)
KINDS: dict[str, type[Body]] = {body.kind: body for body in _BODIES}


def body_of(kind: str, body: bytes) -> Body | None:
    """Return a stored fact's body, or None for a kind of another part of the stream."""
    known = KINDS.get(kind)
    return None if known is None else msgspec.json.decode(body, type=known)
