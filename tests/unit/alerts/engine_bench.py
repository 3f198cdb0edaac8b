"""A whole engine on a virtual clock, through the driver of the conformance cases: events in, messages out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.conformance.alert_timeline_driver import Timeline

ROUTE: dict[str, Any] = {
    "receiver": "r", "group_by": ["alertname", "host"], "group_wait": 1, "group_interval": 2, "repeat_interval": 600,
}  # fmt: skip
Event = dict[str, Any]


def fires(t: float, name: str = "Down", **labels: str) -> Event:
    return {"t": t, "op": "alerts", "alerts": [{"labels": {"alertname": name, **labels}}]}


def ends(t: float, name: str = "Down", **labels: str) -> Event:
    return {"t": t, "op": "alerts", "alerts": [{"labels": {"alertname": name, **labels}, "ends_at": t}]}


def timeline(events: Sequence[Event], **config: Any) -> Timeline:
    """Return the case, ready to play; `horizon` in seconds is 100 unless given."""
    horizon = config.pop("horizon", 100)
    whole = {"route": ROUTE, "receivers": {"r": {}}, "resolve_timeout": 1000, **config}
    return Timeline({"config": whole, "events": events, "horizon": horizon})


def told(events: Sequence[Event], **config: Any) -> list[tuple[float, str, list[str]]]:
    """Return each message: when, its status, and its alerts as name (and host) with their own status."""
    sent = timeline(events, **config).play()
    return [(round(one["t"], 3), one["status"], [_shown(alert) for alert in one["alerts"]]) for one in sent]


def _shown(alert: dict[str, Any]) -> str:
    labels = alert["labels"]
    where = labels.get("host", labels.get("part", ""))
    return f"{labels['alertname']} {where} {alert['status']}".replace("  ", " ")
