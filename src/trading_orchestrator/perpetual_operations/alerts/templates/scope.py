"""What a template can ask for, of a message as a whole and of one alert in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from trading_orchestrator.perpetual_operations.alerts.facts import NotificationDue, Notified
from trading_orchestrator.perpetual_operations.alerts.templates.links import links_of
from trading_orchestrator.perpetual_operations.alerts.templates.template import Scope

WORST_FIRST = ("critical", "error", "warning", "info")
OF_MESSAGE: Mapping[str, bool] = {
    "status": False,  # FIRING or RESOLVED
    "count": False,  # "2 firing, 1 resolved"
    "severity": False,  # the worst of those that fire; once all have ended, of all
    "receiver": False,
    "name": False,  # the alert's name, where all have the same one
    "summary": False,  # the one that all share, else that of the worst one "and 3 more"
    "labels": True,  # the labels on which all agree
    "annotations": True,  # the same of the annotations
    "group": True,  # the labels they are grouped by
    "at": False,
    "links": True,  # of the first alert: incident, chart, runbook
}
OF_ALERT: Mapping[str, bool] = {
    "status": False,
    "severity": False,
    "name": False,
    "summary": False,
    "labels": True,
    "annotations": True,
    "since": False,
    "until": False,
    "links": True,
}


def scope_of_message(message: NotificationDue, external_url: str) -> Scope:
    """Return what the texts around the alerts see (OF_MESSAGE)."""
    # A call about a heartbeat that was missed tells of no alert: what it is about stands in its group.
    labels = common([alert.labels for alert in message.alerts]) or message.group_labels
    annotations = common([alert.annotations for alert in message.alerts])
    links = links_of(message.alerts[0], external_url) if message.alerts else {}
    return {
        "status": message.status.upper(),
        "count": _count(message),
        "severity": worst([alert.labels.get("severity", "") for alert in _spoken_of(message)]),
        "receiver": message.receiver,
        "name": labels.get("alertname", ""),
        "summary": _summary(message),
        "labels": labels,
        "annotations": annotations,
        "group": message.group_labels,
        "at": shown_time(message.at_ns),
        "links": links,
    }


def scope_of_alert(alert: Notified, external_url: str) -> Scope:
    """Return what the text of one alert sees (OF_ALERT)."""
    return {
        "status": alert.status.upper(),
        "severity": alert.labels.get("severity", ""),
        "name": alert.labels.get("alertname", ""),
        "summary": alert.annotations.get("summary", ""),
        "labels": alert.labels,
        "annotations": alert.annotations,
        "since": shown_time(alert.starts_at_ns),
        "until": "" if alert.ends_at_ns is None else shown_time(alert.ends_at_ns),
        "links": links_of(alert, external_url),
    }


def common(several: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return what all of them say alike."""
    first = several[0] if several else {}
    return {name: value for name, value in first.items() if all(one.get(name) == value for one in several)}


def worst(severities: Sequence[str]) -> str:
    """Return the worst of those we know, else the first."""
    known = [one for one in WORST_FIRST if one in severities]
    return next(iter([*known, *severities]), "")


def shown_time(at_ns: int) -> str:
    """Return the time as people read it, in UTC and saying so."""
    return f"{datetime.fromtimestamp(at_ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _summary(message: NotificationDue) -> str:
    """Say the worst first; where the message tells of no alert, what stands in its group."""
    spoken_of = _spoken_of(message)
    if not spoken_of:
        return " ".join(message.group_labels.values())
    said = {alert.annotations.get("summary", "") for alert in message.alerts}
    if len(said) == 1:
        return said.pop()
    first = min(spoken_of, key=lambda alert: _rank(alert.labels.get("severity", "")))
    others = len(message.alerts) + message.unlisted - 1
    summary = first.annotations.get("summary") or first.labels.get("alertname", "")
    return f"{summary} and {others} more"


def _spoken_of(message: NotificationDue) -> Sequence[Notified]:
    """Return the alerts that make the message what it is: while any fires, those that have ended do not count."""
    return [alert for alert in message.alerts if alert.status == message.status] or message.alerts


def _rank(severity: str) -> int:
    return WORST_FIRST.index(severity) if severity in WORST_FIRST else len(WORST_FIRST)


def _count(message: NotificationDue) -> str:
    """Say how many fire and how many ended, those included that the message does not list."""
    ended = len(message.resolved)
    parts = [f"{len(message.firing)} firing"] if message.firing else []
    return ", ".join([*parts, *([f"{ended} resolved"] if ended else [])]) or "none"
