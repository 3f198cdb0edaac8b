"""The facts of alerting (stream `ops/alerts`): whatever the engine knows is a fold over these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from trading_orchestrator.perpetual_operations.alerts.alert import Alert
from trading_orchestrator.perpetual_operations.alerts.flapping import Flap
from trading_orchestrator.perpetual_operations.alerts.silence import Silence
from trading_orchestrator.perpetual_operations.alerts.thread import Thread

STREAM = "ops/alerts"


class Entry(msgspec.Struct, frozen=True):
    """One alert as it is now known, and the groups it is in."""

    alert: Alert
    groups: tuple[str, ...]


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts that are new or changed; one that is only confirmed is no fact."""

    kind: ClassVar[str] = "alert.received"
    at_ns: int
    entries: tuple[Entry, ...]


class GroupOpened(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts of one route that agree in their group labels are told together, first at `due_ns`."""

    kind: ClassVar[str] = "alert.group_opened"
    group_id: str
    route_id: str
    group_key: str
    receiver: str
    labels: dict[str, str]
    due_ns: int


class GroupsOpened(msgspec.Struct, frozen=True, kw_only=True):
    """Several groups at once, as a storm opens them."""

    kind: ClassVar[str] = "alert.groups_opened"
    groups: tuple[GroupOpened, ...]


class GroupTimed(msgspec.Struct, frozen=True, kw_only=True):
    """A group's next flush was set anew: an alert in it is older than the wait, or its sources are seen again."""

    kind: ClassVar[str] = "alert.group_timed"
    group_id: str
    due_ns: int


class GroupFlushed(msgspec.Struct, frozen=True, kw_only=True):
    """A flush without a message. `settled` have ended and leave the group, unless they fire again.

    `clears`: the receiver takes no ends, so what it was told is closed in silence. `goes_on`: `settled` adds to the
    flush before, which had too many for one fact.
    """

    kind: ClassVar[str] = "alert.group_flushed"
    group_id: str
    at_ns: int
    next_due_ns: int
    settled: tuple[str, ...]
    clears: bool = False
    expires_at_ns: int = 0
    goes_on: bool = False


class Notified(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as a message tells it."""

    fingerprint: str
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at_ns: int
    ends_at_ns: int | None
    generator_url: str = ""


class NotificationDue(msgspec.Struct, frozen=True, kw_only=True):
    """A message that must reach its receiver: it stays in the outbox until an answer settles it.

    `firing` and `resolved` are what the receiver knows once it has the message, `alerts` is what it reads, and
    `unlisted` how many more there are; then `resolved` and `settled` leave the group, unless they fire again.
    `digest_of`: in a storm one message stands for so many groups, which `alert.notification_listed` names.
    `threads`: what it belongs to where that is not its own group, as a call does. `after`: where its receiver heard of
    this before. `ends`: threads that are over with it, besides its own.
    """

    kind: ClassVar[str] = "alert.notification_due"
    notification_id: str
    group_id: str
    group_key: str
    receiver: str
    status: str
    group_labels: dict[str, str]
    alerts: tuple[Notified, ...]
    unlisted: int = 0
    firing: tuple[str, ...]
    resolved: tuple[str, ...]
    settled: tuple[str, ...]
    at_ns: int
    next_due_ns: int
    deadline_ns: int
    expires_at_ns: int
    digest_of: int = 0
    threads: tuple[Thread, ...] = ()
    after: tuple[Thread, ...] = ()
    ends: tuple[Thread, ...] = ()

    def all_threads(self) -> tuple[Thread, ...]:
        """Return the threads it belongs to, at least one."""
        return self.threads or (Thread(self.receiver, self.group_key),)


class DigestPart(msgspec.Struct, frozen=True, kw_only=True):
    """One group of a digest, and what its receiver knows about it once it has the digest."""

    group_id: str
    group_key: str
    next_due_ns: int
    expires_at_ns: int
    firing: tuple[str, ...]
    resolved: tuple[str, ...]
    settled: tuple[str, ...]


class NotificationListed(msgspec.Struct, frozen=True, kw_only=True):
    """What a message says or stands for besides, when it is too much for one fact."""

    kind: ClassVar[str] = "alert.notification_listed"
    notification_id: str
    firing: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    groups: tuple[DigestPart, ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """What one channel said to a message, or what kept it from saying anything.

    `is_taken`: it has the message. `is_unknown`: nobody knows whether it has.
    """

    channel: str
    said: str
    is_taken: bool
    is_unknown: bool = False


def in_words(answers: Sequence[Answer]) -> str:
    """Return the answers as one text that names their channels."""
    return "; ".join(f"{one.channel}: {one.said}" for one in answers)


class NotificationFailed(msgspec.Struct, frozen=True, kw_only=True):
    """A try did not arrive, or nobody knows; the next one comes at `retry_at_ns`."""

    kind: ClassVar[str] = "alert.notification_failed"
    notification_id: str
    at_ns: int
    answer: str
    retry_at_ns: int
    answers: tuple[Answer, ...] = ()


class NotificationDelivered(msgspec.Struct, frozen=True, kw_only=True):
    """The receiver has the message."""

    kind: ClassVar[str] = "alert.notification_delivered"
    notification_id: str
    at_ns: int
    answer: str
    answers: tuple[Answer, ...] = ()


class NotificationDropped(msgspec.Struct, frozen=True, kw_only=True):
    """The message is not tried again: the receiver refuses it, or it says what is not so any more.

    `may_be_known`: a channel took it, or may have; so the end of what it told is owed.
    """

    kind: ClassVar[str] = "alert.notification_dropped"
    notification_id: str
    at_ns: int
    reason: str
    answers: tuple[Answer, ...] = ()
    may_be_known: bool = False


class SilenceSet(msgspec.Struct, frozen=True, kw_only=True):
    """A silence as it is from now on: new, changed or ended; `why` when nobody asked for that."""

    kind: ClassVar[str] = "alert.silence_set"
    at_ns: int
    silence: Silence
    why: str = ""


class SilenceUsed(msgspec.Struct, frozen=True, kw_only=True):
    """A silence that ends when it is not used covered something; said so often that a start forgets little of it."""

    kind: ClassVar[str] = "alert.silence_used"
    at_ns: int
    silence_ids: tuple[str, ...]


class FlapNoted(msgspec.Struct, frozen=True):
    """How often one alert began lately; None: it has been quiet."""

    fingerprint: str
    flap: Flap | None


class FlapsNoted(msgspec.Struct, frozen=True, kw_only=True):
    """Sources changed their minds about these alerts."""

    kind: ClassVar[str] = "alert.flaps_noted"
    at_ns: int
    noted: tuple[FlapNoted, ...]


class Held(msgspec.Struct, frozen=True):
    """A group that waits for its sources, at the longest until `until_ns`."""

    group_id: str
    until_ns: int


class EngineStarted(msgspec.Struct, frozen=True, kw_only=True):
    """The engine took over. No alert ends for want of a message before `timeouts_from_ns`: sources come first."""

    kind: ClassVar[str] = "alert.engine_started"
    at_ns: int
    timeouts_from_ns: int
    held: tuple[Held, ...]


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing refers to these any more; `told` names group key and receiver."""

    kind: ClassVar[str] = "alert.swept"
    at_ns: int
    groups: tuple[str, ...]
    alerts: tuple[str, ...]
    silences: tuple[str, ...]
    told: tuple[tuple[str, str], ...]


Body = (
    Received
    | GroupOpened
    | GroupsOpened
    | GroupTimed
    | GroupFlushed
    | NotificationDue
    | NotificationListed
    | NotificationFailed
    | NotificationDelivered
    | NotificationDropped
    | SilenceSet
    | SilenceUsed
    | FlapsNoted
    | EngineStarted
    | Swept
)
KINDS: dict[str, type[Body]] = {
    body.kind: body
    for body in (
        Received,
        GroupOpened,
        GroupsOpened,
        GroupTimed,
        GroupFlushed,
        NotificationDue,
        NotificationListed,
        NotificationFailed,
        NotificationDelivered,
        NotificationDropped,
        SilenceSet,
        SilenceUsed,
        FlapsNoted,
        EngineStarted,
        Swept,
    )
}


def body_of(kind: str, body: bytes) -> Body | None:
    """Return a stored fact's body, or None for a kind of another part of the stream."""
    known = KINDS.get(kind)
    return None if known is None else msgspec.json.decode(body, type=known)
