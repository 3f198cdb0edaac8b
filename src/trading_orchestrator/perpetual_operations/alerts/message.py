"""What a receiver reads: the alerts of a message, as many as one fact holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.alert import Alert
from trading_orchestrator.perpetual_operations.alerts.labels import list_order
from trading_orchestrator.perpetual_operations.alerts.sizing import ENTRIES_A_FACT, in_lots


def listed(alerts: Sequence[Alert], now_ns: int, *, send_resolved: bool) -> tuple[tuple[f.Notified, ...], int]:
    """Return the first alerts in their order, and how many more there are."""
    wanted = [alert for alert in alerts if send_resolved or not alert.is_resolved(now_ns)]
    wanted.sort(key=lambda alert: list_order(alert.labels))
    first = [_notified(alert, now_ns) for alert in wanted[:ENTRIES_A_FACT]]
    shown = next(in_lots(first, ENTRIES_A_FACT), ())
    return shown, len(wanted) - len(shown)


def on_the_wall_clock(message: f.NotificationDue, lead_ns: int) -> f.NotificationDue:
    """Return the message with its times as its reader knows them."""
    if not lead_ns:
        return message
    return msgspec.structs.replace(
        message,
        alerts=tuple(notified_on_the_wall_clock(alert, lead_ns) for alert in message.alerts),
        at_ns=message.at_ns - lead_ns,
        expires_at_ns=message.expires_at_ns - lead_ns,
    )


def notified_on_the_wall_clock(alert: f.Notified, lead_ns: int) -> f.Notified:
    """Return what is told of one alert with its times as its reader knows them."""
    if not lead_ns:
        return alert
    ends_at_ns = None if alert.ends_at_ns is None else alert.ends_at_ns - lead_ns
    return msgspec.structs.replace(alert, starts_at_ns=alert.starts_at_ns - lead_ns, ends_at_ns=ends_at_ns)


def unlisted(
    message: f.NotificationDue, alert_of: Callable[[str], Alert | None], now_ns: int, *, send_resolved: bool
) -> list[f.Notified]:
    """Return what the message stands for and does not list, as it is now; what is forgotten by now is left out."""
    names = dict.fromkeys((*message.firing, *(message.resolved if send_resolved else ())))
    for listed_one in message.alerts:
        names.pop(listed_one.fingerprint, None)
    return [_notified(alert, now_ns) for name in names if (alert := alert_of(name)) is not None]


def _notified(alert: Alert, now_ns: int) -> f.Notified:
    is_resolved = alert.is_resolved(now_ns)
    return f.Notified(
        fingerprint=alert.fingerprint,
        status="resolved" if is_resolved else "firing",
        labels=alert.labels,
        annotations=alert.annotations,
        starts_at_ns=alert.starts_at_ns,
        ends_at_ns=alert.ends_at_ns if is_resolved else None,
        generator_url=alert.generator_url,
    )
