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
    is_resolved: bool = False,
) -> Letter:
    """Return a letter that tells of one thing.

    Args:
        key: the idempotency key; the same for every try of the same news.
        name: stands where an alert has its name.
        runbook: the key of a runbook, "" for none.
    """
    annotations = {"summary": summary, "description": description, "runbook": runbook}
    status = "resolved" if is_resolved else "firing"
    alert = Notified(
        fingerprint=key,
        status=status,
        labels={"alertname": name, "severity": severity, **(labels or {})},
        annotations={name: text for name, text in annotations.items() if text},
        starts_at_ns=at_ns,
        ends_at_ns=at_ns if is_resolved else None,
    )
    message = NotificationDue(
        notification_id=key,
        group_id=name,
        group_key=f'{{}}:{{alertname="{name}"}}',
        receiver=receiver,
        status=status,
        group_labels={"alertname": name},
        alerts=(alert,),
        firing=() if is_resolved else (key,),
        resolved=(key,) if is_resolved else (),
        settled=(),
        at_ns=at_ns,
        next_due_ns=at_ns,
        deadline_ns=at_ns,
        expires_at_ns=at_ns,
    )
    return Letter(message, key)
