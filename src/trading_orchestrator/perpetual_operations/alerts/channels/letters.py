"""Letters that no alert made: a test of a channel, a last word before the silence, a person who is to be called."""

from __future__ import annotations

from collections.abc import Mapping

from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.facts import NotificationDue, Notified


def letter_of(
    *,
    key: str,
    receiver: str,
    name: str,
    severity: str,
    summary: str,
    at_ns: int,
    description: str = "",
    runbook: str = "",
    labels: Mapping[str, str] | None = None,
) -> Letter:
    """Return a letter that tells of one thing.

    Args:
        key: the idempotency key; the same for every try of the same news.
        name: stands where an alert has its name.
        runbook: the key of a runbook, "" for none.
    """
    annotations = {"summary": summary, "description": description, "runbook": runbook}
    alert = Notified(
        fingerprint=key,
        status="firing",
        labels={"alertname": name, "severity": severity, **(labels or {})},
        annotations={name: text for name, text in annotations.items() if text},
        starts_at_ns=at_ns,
        ends_at_ns=None,
    )
    message = NotificationDue(
        notification_id=key,
        group_id=name,
        group_key=f'{{}}:{{alertname="{name}"}}',
        receiver=receiver,
        status="firing",
        group_labels={"alertname": name},
        alerts=(alert,),
        firing=(key,),
        resolved=(),
        settled=(),
        at_ns=at_ns,
        next_due_ns=at_ns,
        deadline_ns=at_ns,
        expires_at_ns=at_ns,
    )
    return Letter(message, key)
