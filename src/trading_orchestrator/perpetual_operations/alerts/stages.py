"""The way of a flush: a list of one-method stages; the order of the list is the policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from trading_orchestrator.perpetual_operations.alerts import dedup
from trading_orchestrator.perpetual_operations.alerts.alert import Alert
from trading_orchestrator.perpetual_operations.alerts.group import Group
from trading_orchestrator.perpetual_operations.alerts.inhibit import Inhibitor
from trading_orchestrator.perpetual_operations.alerts.root_cause import RootCauses
from trading_orchestrator.perpetual_operations.alerts.route import Route
from trading_orchestrator.perpetual_operations.alerts.silence import Silencer
from trading_orchestrator.perpetual_operations.alerts.state import State
from trading_orchestrator.perpetual_operations.alerts.time_intervals import Intervals, any_contains


@dataclass(frozen=True)
class Flush:
    """One group's turn to speak: which group, by which route, and when; `wall_ns`: what the calendar says then."""

    group: Group
    route: Route
    now_ns: int
    wall_ns: int


class Stage(Protocol):
    def __call__(self, flush: Flush, alerts: Sequence[Alert]) -> Sequence[Alert]:
        """Return the alerts that go on; none ends the flush without a message."""
        ...


@dataclass(frozen=True)
class Inhibited:
    """Takes out what a firing source explains."""

    inhibitor: Inhibitor

    def __call__(self, flush: Flush, alerts: Sequence[Alert]) -> Sequence[Alert]:
        return [alert for alert in alerts if self.inhibitor.inhibited_by(alert.labels, flush.now_ns) is None]


@dataclass(frozen=True)
class Explained:
    """Takes out what a broken part below explains."""

    root_causes: RootCauses

    def __call__(self, flush: Flush, alerts: Sequence[Alert]) -> Sequence[Alert]:
        return [alert for alert in alerts if self.root_causes.inhibited_by(alert.labels, flush.now_ns) is None]


@dataclass(frozen=True)
class OutsideActiveTimes:
    """Ends a flush outside the route's active times, when it names any."""

    intervals: Intervals

    def __call__(self, flush: Flush, alerts: Sequence[Alert]) -> Sequence[Alert]:
        names = flush.route.active_times
        return alerts if not names or any_contains(self.intervals, names, flush.wall_ns) else ()


@dataclass(frozen=True)
class WithinMuteTimes:
    """Ends a flush within the route's mute times."""

    intervals: Intervals

    def __call__(self, flush: Flush, alerts: Sequence[Alert]) -> Sequence[Alert]:
        return () if any_contains(self.intervals, flush.route.mute_times, flush.wall_ns) else alerts


@dataclass(frozen=True)
class Silenced:
    """Takes out what somebody silenced."""

    silencer: Silencer
    state: State

    def __call__(self, flush: Flush, alerts: Sequence[Alert]) -> Sequence[Alert]:
        silences = self.silencer.acting(self.state.silences.values(), flush.wall_ns)
        if not silences:
            return alerts
        return [alert for alert in alerts if not self.silencer.covering(alert.labels, silences, flush.wall_ns)]


@dataclass(frozen=True)
class Unchanged:
    """Ends a flush that would tell the receiver nothing new before it is time to repeat."""

    state: State
    send_resolved: dict[str, bool]

    def __call__(self, flush: Flush, alerts: Sequence[Alert]) -> Sequence[Alert]:
        firing, resolved = parted(alerts, flush.now_ns)
        must_tell = dedup.must_tell(
            self.state.told.get((flush.group.group_key, flush.group.receiver)),
            firing=firing,
            resolved=resolved,
            send_resolved=self.send_resolved[flush.group.receiver],
            repeat_after_ns=flush.route.repeat_interval_ns,
            now_ns=flush.now_ns,
        )
        return alerts if must_tell else ()


def walk(stages: Sequence[Stage], flush: Flush, alerts: Sequence[Alert]) -> Sequence[Alert]:
    """Return what is left after every stage."""
    for stage in stages:
        if not alerts:
            return ()
        alerts = stage(flush, alerts)
    return alerts


def parted(alerts: Sequence[Alert], now_ns: int) -> tuple[frozenset[str], frozenset[str]]:
    """Return the fingerprints of what fires and of what has ended."""
    resolved = frozenset(alert.fingerprint for alert in alerts if alert.is_resolved(now_ns))
    return frozenset(alert.fingerprint for alert in alerts) - resolved, resolved
