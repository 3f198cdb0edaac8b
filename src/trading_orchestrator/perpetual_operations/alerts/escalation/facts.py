"""The facts of escalation (stream `ops/alerts`)."""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody must hear about this; `policy` names the ladder, the default one has no name."""

    kind: ClassVar[str] = "escalation.opened"
    escalation_id: str
    at_ns: int
    policy: str = ""


class Stepped(msgspec.Struct, frozen=True, kw_only=True):
    """A rung was reached and these people are called. Nobody: it was skipped.

    `nobody`: targets of the rung behind which nobody stands who can be called; each has its NobodyFound besides.
    """

    kind: ClassVar[str] = "escalation.stepped"
    escalation_id: str
    at_ns: int
    step: int
    loops: int
    next_at_ns: int
    people: tuple[str, ...]
    multi_ack: bool
    nobody: tuple[str, ...] = ()


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The last rung's wait is over: nobody else will be called."""

    kind: ClassVar[str] = "escalation.ended"
    escalation_id: str
    at_ns: int


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """A person takes it, for ever or until `until_ns`."""

    kind: ClassVar[str] = "escalation.acknowledged"
    escalation_id: str
    at_ns: int
    by: str
    note: str = ""
    until_ns: int | None = None


class Snoozed(msgspec.Struct, frozen=True, kw_only=True):
    """A person wants quiet until `until_ns`; then it begins anew."""

    kind: ClassVar[str] = "escalation.snoozed"
    escalation_id: str
    at_ns: int
    by: str
    until_ns: int
    note: str = ""


class Resumed(msgspec.Struct, frozen=True, kw_only=True):
    """The time of an acknowledgement or a snooze is over: the rung it stood on, or the first one, is reached anew."""

    kind: ClassVar[str] = "escalation.resumed"
    escalation_id: str
    at_ns: int
    from_start: bool


class Reopened(msgspec.Struct, frozen=True, kw_only=True):
    """Something joined that nobody has taken, while nobody was to be called: the first rung is reached anew."""

    kind: ClassVar[str] = "escalation.reopened"
    escalation_id: str
    at_ns: int


class Muted(msgspec.Struct, frozen=True, kw_only=True):
    """All of it is kept quiet (silenced, inhibited, outside its times): nobody is called before it is unmuted."""

    kind: ClassVar[str] = "escalation.muted"
    escalation_id: str
    at_ns: int


class Unmuted(msgspec.Struct, frozen=True, kw_only=True):
    """Something of it is to be heard again: unless a person has it, the first rung is reached anew."""

    kind: ClassVar[str] = "escalation.unmuted"
    escalation_id: str
    at_ns: int


class NobodyFound(msgspec.Struct, frozen=True, kw_only=True):
    """A rung was reached and nobody stands behind this target of it who can be called. `rung` counts from 1."""

    kind: ClassVar[str] = "escalation.nobody_found"
    escalation_id: str
    at_ns: int
    policy: str
    rung: int
    target: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A person wants the next rung now."""

    kind: ClassVar[str] = "escalation.asked"
    escalation_id: str
    at_ns: int
    by: str
    note: str = ""


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """It is over."""

    kind: ClassVar[str] = "escalation.closed"
    escalation_id: str
    at_ns: int
    by: str


class Paused(msgspec.Struct, frozen=True, kw_only=True):
    """Maintenance: no rung is climbed before `until_ns`. People who were called already go on being called.

    An `until_ns` that is not after `at_ns` ends it.
    """

    kind: ClassVar[str] = "escalation.paused"
    at_ns: int
    until_ns: int
    by: str = ""
    reason: str = ""


class ContactDue(msgspec.Struct, frozen=True, kw_only=True):
    """A person is to be reached on a channel, about one or several escalations at once.

    `about`: the alerts that the call names, and `more` how many there are besides; None in facts of older releases.
    """

    kind: ClassVar[str] = "escalation.contact_due"
    contact_id: str
    at_ns: int
    to: str
    channel: str
    escalations: tuple[str, ...]
    about: tuple[str, ...] | None = None
    more: int = 0


class OverrideSet(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody is on call besides, or instead of another; an empty `person` only takes the other one off."""

    kind: ClassVar[str] = "schedule.override_set"
    override_id: str
    at_ns: int
    schedule: str
    starts_at_ns: int
    ends_at_ns: int
    person: str
    instead_of: str = ""
    by: str = ""
    reason: str = ""


class OverrideEnded(msgspec.Struct, frozen=True, kw_only=True):
    """An override is over or was taken back."""

    kind: ClassVar[str] = "schedule.override_ended"
    override_id: str
    at_ns: int
    by: str = ""


Body = (
    Opened
    | Stepped
    | Ended
    | Acknowledged
    | Snoozed
    | Resumed
    | Reopened
    | Muted
    | Unmuted
    | NobodyFound
    | Asked
    | Closed
    | Paused
    | ContactDue
    | OverrideSet
    | OverrideEnded
)
_BODIES = (
    Opened,
    Stepped,
    Ended,
    Acknowledged,
    Snoozed,
    Resumed,
    Reopened,
    Muted,
    Unmuted,
    NobodyFound,
    Asked,
    Closed,
    Paused,
    ContactDue,
    OverrideSet,
    OverrideEnded,
)
KINDS: dict[str, type[Body]] = {body.kind: body for body in _BODIES}


def body_of(kind: str, body: bytes) -> Body | None:
    """Return a stored fact's body, or None for a kind of another part of the stream."""
    known = KINDS.get(kind)
    return None if known is None else msgspec.json.decode(body, type=known)
