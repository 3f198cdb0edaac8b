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
    """A person takes an alert; it holds until the alert ends."""

    kind: ClassVar[str] = "alert.acknowledged"
    fingerprint: str
    at_ns: int
    by: str
    note: str = ""


class EpisodeOpen(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot keeps of one alert under way."""

    kind: ClassVar[str] = "alert.episode_open"
    fingerprint: str
    labels: dict[str, str]
    starts_at_ns: int
    ends_at_ns: int
    acknowledged: Acknowledged | None = None


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One alert from its start to its end, as its row tells it."""

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


class Attention:
    """A rider that follows alerts from start to end. An end is noticed when the alert is swept or begins anew."""

    name = "attention"

    def __init__(self) -> None:
        self._open: dict[str, EpisodeOpen] = {}

    def of(self, fingerprint: str) -> Acknowledged | None:
        """Return who acknowledged the alert as it fires now."""
        found = self._open.get(fingerprint)
        return None if found is None else found.acknowledged

    def acknowledge(self, fingerprint: str, by: str, note: str, now_ns: int) -> Acknowledged:
        """Return the fact that somebody takes it, taken in already; a second one replaces the first."""
        fact = Acknowledged(fingerprint=fingerprint, at_ns=now_ns, by=by, note=note)
        self._take(fact)
        return fact

    # -- as a rider

    def load(self, kind: str, body: bytes) -> None:
        known = {one.kind: one for one in (f.Received, f.Swept, f.NotificationDue, Acknowledged)}
        if kind == EpisodeOpen.kind:
            one = msgspec.json.decode(body, type=EpisodeOpen)
            self._open[one.fingerprint] = one
        elif kind in known:
            self._take(msgspec.json.decode(body, type=known[kind]))  # type: ignore[arg-type]  # one of the four

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

    def _take(self, body: f.Received | f.Swept | f.NotificationDue | Acknowledged) -> Sequence[Episode]:
        """Take a fact in and return the episodes that it ends."""
        match body:
            case f.NotificationDue():
                self._told(body)
            case f.Received():
                return [ended for entry in body.entries for ended in self._heard(entry.alert)]
            case f.Swept():
                return [self._closed(name) for name in body.alerts if name in self._open]
            case Acknowledged():
                found = self._open.get(body.fingerprint)
                if found is not None:
                    self._open[body.fingerprint] = msgspec.structs.replace(found, acknowledged=body)
        return ()

    def _heard(self, alert: Alert) -> Sequence[Episode]:
        old = self._open.get(alert.fingerprint)
        ended = [self._closed(alert.fingerprint)] if old is not None and old.ends_at_ns < alert.starts_at_ns else []
        going_on = self._open.get(alert.fingerprint)
        self._open[alert.fingerprint] = EpisodeOpen(
            fingerprint=alert.fingerprint,
            labels=alert.labels,
            starts_at_ns=alert.starts_at_ns,
            ends_at_ns=alert.ends_at_ns,
            acknowledged=going_on.acknowledged if going_on is not None else None,
        )
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
            acknowledged_at_ns=None if taken is None else taken.at_ns,
            acknowledged_by="" if taken is None else taken.by,
            note="" if taken is None else taken.note,
        )


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
