"""Attention: who took which alert when, how long each lasted, and the mean times to acknowledge and to resolve."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

import msgspec

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.alert import Alert
from trading_orchestrator.perpetual_operations.alerts.rider import Body
from trading_orchestrator.storage.ports import Put

EPISODES = "alerts/episodes"


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """A person takes an alert, until it ends or until `until_ns`."""

    kind: ClassVar[str] = "alert.acknowledged"
    fingerprint: str
    at_ns: int
    by: str
    note: str = ""
    until_ns: int | None = None


class Snoozed(msgspec.Struct, frozen=True, kw_only=True):
    """A person wants to hear of an alert again at `until_ns`; nobody has taken it then."""

    kind: ClassVar[str] = "alert.snoozed"
    fingerprint: str
    at_ns: int
    by: str
    until_ns: int
    note: str = ""


class Escalated(msgspec.Struct, frozen=True, kw_only=True):
    """A person wants others for an alert: whoever had it has it no more."""

    kind: ClassVar[str] = "alert.escalated"
    fingerprint: str
    at_ns: int
    by: str
    note: str = ""


class EpisodeOpen(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot keeps of one alert under way.

    `acknowledged`: who took it last; `is_given_up`: and has it no more. `first_taken_ns`: when somebody took it first.
    """

    kind: ClassVar[str] = "alert.episode_open"
    fingerprint: str
    labels: dict[str, str]
    starts_at_ns: int
    ends_at_ns: int
    acknowledged: Acknowledged | None = None
    is_given_up: bool = False
    snoozed: Snoozed | None = None
    first_taken_ns: int | None = None


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One alert from its start to its end, as its row tells it: who took it last, and when somebody took it first."""

    fingerprint: str
    labels: dict[str, str]
    starts_at_ns: int
    ends_at_ns: int
    acknowledged_at_ns: int | None = None
    acknowledged_by: str = ""
    note: str = ""


class MeanTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Means over the episodes counted; None where there is nothing to take the mean of."""

    episodes: int
    acknowledged: int
    to_acknowledge_s: float | None
    to_resolve_s: float | None


Said = Acknowledged | Snoozed | Escalated


class Attention:
    """A rider that follows alerts from start to end. An end is noticed when the alert is swept or begins anew."""

    name = "attention"

    def __init__(self) -> None:
        self._open: dict[str, EpisodeOpen] = {}

    def of(self, fingerprint: str, now_ns: int) -> Acknowledged | None:
        """Return who has the alert now."""
        found = self._open.get(fingerprint)
        said = None if found is None or found.is_given_up else found.acknowledged
        return None if said is None or (said.until_ns is not None and said.until_ns <= now_ns) else said

    def snoozed(self, fingerprint: str, now_ns: int) -> Snoozed | None:
        """Return who wants quiet about the alert now."""
        found = self._open.get(fingerprint)
        said = None if found is None else found.snoozed
        return None if said is None or said.until_ns <= now_ns else said

    def say(self, fact: Said) -> Said:
        """Return what a person says of an alert, taken in already; it replaces what was said before."""
        self._take(fact)
        return fact

    # -- as a rider

    def load(self, kind: str, body: bytes) -> None:
        known = {one.kind: one for one in (f.Received, f.Swept, f.NotificationDue, Acknowledged, Snoozed, Escalated)}
        if kind == EpisodeOpen.kind:
            one = msgspec.json.decode(body, type=EpisodeOpen)
            self._open[one.fingerprint] = one
        elif kind in known:
            self._take(msgspec.json.decode(body, type=known[kind]))  # type: ignore[arg-type]  # one of these

    def advance(self, decided: Sequence[Body], now_ns: int) -> Sequence[Body]:
        return ()

    def next_due_ns(self) -> int | None:
        return None

    def rows(self, bodies: Sequence[Body]) -> Iterable[Put]:
        for body in bodies:
            if isinstance(body, f.Received | f.Swept | f.NotificationDue):
                for ended in self._take(body):
                    yield Put(EPISODES, f"{ended.fingerprint}-{ended.starts_at_ns}", ended)

    def snapshot(self, now_ns: int) -> Sequence[Body]:
        return list(self._open.values())

    def _take(self, body: f.Received | f.Swept | f.NotificationDue | Said) -> Sequence[Episode]:
        """Take a fact in and return the episodes that it ends."""
        match body:
            case f.NotificationDue():
                self._told(body)
            case f.Received():
                return [ended for entry in body.entries for ended in self._heard(entry.alert)]
            case f.Swept():
                return [self._closed(name) for name in body.alerts if name in self._open]
            case Acknowledged() | Snoozed() | Escalated():
                found = self._open.get(body.fingerprint)
                if found is not None:
                    self._open[body.fingerprint] = _answered(found, body)
        return ()

    def _heard(self, alert: Alert) -> Sequence[Episode]:
        old = self._open.get(alert.fingerprint)
        ended = [self._closed(alert.fingerprint)] if old is not None and old.ends_at_ns < alert.starts_at_ns else []
        new = EpisodeOpen(
            fingerprint=alert.fingerprint,
            labels=alert.labels,
            starts_at_ns=alert.starts_at_ns,
            ends_at_ns=alert.ends_at_ns,
        )
        going_on = self._open.get(alert.fingerprint)
        if going_on is not None:
            new = msgspec.structs.replace(
                going_on, labels=new.labels, starts_at_ns=new.starts_at_ns, ends_at_ns=new.ends_at_ns
            )
        self._open[alert.fingerprint] = new
        return ended

    def _told(self, message: f.NotificationDue) -> None:
        """An alert that only was confirmed ends later than its last fact says; what was told of it knows better."""
        for told in message.alerts:
            found = self._open.get(told.fingerprint)
            if found is not None and told.ends_at_ns is not None:
                self._open[told.fingerprint] = msgspec.structs.replace(found, ends_at_ns=told.ends_at_ns)

    def _closed(self, fingerprint: str) -> Episode:
        one = self._open.pop(fingerprint)
        taken = one.acknowledged
        return Episode(
            fingerprint=one.fingerprint,
            labels=one.labels,
            starts_at_ns=one.starts_at_ns,
            ends_at_ns=one.ends_at_ns,
            acknowledged_at_ns=one.first_taken_ns or (taken.at_ns if taken is not None else None),
            acknowledged_by="" if taken is None else taken.by,
            note="" if taken is None else taken.note,
        )


def _answered(one: EpisodeOpen, said: Said) -> EpisodeOpen:
    if isinstance(said, Acknowledged):
        first_ns = one.first_taken_ns or said.at_ns
        return msgspec.structs.replace(one, acknowledged=said, is_given_up=False, snoozed=None, first_taken_ns=first_ns)
    snoozed = said if isinstance(said, Snoozed) else None
    return msgspec.structs.replace(one, is_given_up=True, snoozed=snoozed)


def mean_times(episodes: Sequence[Episode]) -> MeanTimes:
    """Return the mean times of these episodes."""
    to_acknowledge = [
        (one.acknowledged_at_ns - one.starts_at_ns) / 1e9 for one in episodes if one.acknowledged_at_ns is not None
    ]
    to_resolve = [(one.ends_at_ns - one.starts_at_ns) / 1e9 for one in episodes]
    return MeanTimes(
        episodes=len(to_resolve),
        acknowledged=len(to_acknowledge),
        to_acknowledge_s=_mean(to_acknowledge),
        to_resolve_s=_mean(to_resolve),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
