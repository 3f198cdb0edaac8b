"""What a call says: one message about everything that a person is called for."""

from __future__ import annotations

from collections.abc import Sequence

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.escalation.facts import ContactDue

ALERTS_A_CALL = 20


def call_of(contact: ContactDue, news: Sequence[f.NotificationDue]) -> f.NotificationDue:
    """Return the message of this contact; its facts alone make it, so that a successor says the same.

    Args:
        news: what was told last of each escalation that it is about.
    """
    told = {alert.fingerprint: alert for message in news for alert in message.alerts if alert.status == "firing"}
    names = list(told)[:ALERTS_A_CALL] if contact.about is None else contact.about
    alerts = tuple(told[name] for name in names if name in told)
    unlisted = sum(message.unlisted for message in news) + len(told) - len(alerts)
    return f.NotificationDue(
        notification_id=contact.contact_id,
        group_id=contact.contact_id,
        group_key=contact.contact_id,
        receiver=f"{contact.to}/{contact.channel}",
        status="firing",
        group_labels=news[0].group_labels if news else {},
        alerts=alerts,
        unlisted=unlisted if contact.about is None else contact.more,
        firing=tuple(alert.fingerprint for alert in alerts),
        resolved=(),
        settled=(),
        at_ns=contact.at_ns,
        next_due_ns=contact.at_ns,
        deadline_ns=contact.at_ns,
        expires_at_ns=contact.at_ns,
        threads=tuple(dict.fromkeys(message.all_threads()[0] for message in news[:ALERTS_A_CALL])),
    )
