"""A message as Alertmanager's webhook JSON, version 4, so that every existing receiver can read it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from trading_orchestrator.perpetual_operations.alerts.facts import NotificationDue, Notified
from trading_orchestrator.perpetual_operations.alerts.templates.links import linked
from trading_orchestrator.perpetual_operations.alerts.templates.scope import common

NEVER = "0001-01-01T00:00:00Z"


def body_of(message: NotificationDue, external_url: str) -> bytes:
    """Return the JSON; equal messages give equal bytes.

    Args:
        external_url: where readers reach our console: alerts get links there; "" when they cannot.
    """
    alerts = [linked(alert, external_url) for alert in message.alerts]
    return msgspec.json.encode(
        {
            "version": "4",
            "groupKey": message.group_key,
            "truncatedAlerts": message.unlisted,
            "status": message.status,
            "receiver": message.receiver,
            "groupLabels": message.group_labels,
            "commonLabels": common([alert.labels for alert in alerts]),
            "commonAnnotations": common([alert.annotations for alert in alerts]),
            "externalURL": external_url,
            "alerts": [_alert(alert) for alert in alerts],
        }
    )


def _alert(alert: Notified) -> dict[str, object]:
    return {
        "status": alert.status,
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": _rfc3339(alert.starts_at_ns),
        "endsAt": NEVER if alert.ends_at_ns is None else _rfc3339(alert.ends_at_ns),
        "generatorURL": alert.generator_url,
        "fingerprint": alert.fingerprint,
    }


def _rfc3339(at_ns: int) -> str:
    whole = datetime.fromtimestamp(at_ns // 1_000_000_000, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{at_ns % 1_000_000_000:09d}Z"
