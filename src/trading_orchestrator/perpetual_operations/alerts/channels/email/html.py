"""The HTML of a mail: a line of colour, the alerts, and three links each; it loads nothing from anywhere."""

from __future__ import annotations

from html import escape

from trading_orchestrator.perpetual_operations.alerts.facts import NotificationDue, Notified
from trading_orchestrator.perpetual_operations.alerts.templates.links import links_of
from trading_orchestrator.perpetual_operations.alerts.templates.scope import shown_time
from trading_orchestrator.perpetual_operations.alerts.templates.texts import Words

RED, AMBER, GREEN = "#b3261e", "#a15c00", "#1b6e3c"
PAGE = """<!doctype html>
<html><body style="margin:0;padding:16px;font:15px/1.5 system-ui,sans-serif;color:#1c1b1f;background:#ffffff">
<h1 style="font-size:18px;margin:0 0 12px;padding-left:10px;border-left:6px solid {colour}">{subject}</h1>
{alerts}{more}
<p style="color:#5f5b66;font-size:13px">Told to {receiver} at {at}.</p>
</body></html>
"""
ALERT = """<div style="margin:0 0 14px;padding-left:10px;border-left:3px solid {colour}">
<b>{status} {severity} {name}</b><br>{summary}<br>
<span style="color:#5f5b66;font-size:13px">since {since}{until} &middot; {labels}</span><br>{links}
</div>
"""


def html_of(message: NotificationDue, words: Words, external_url: str) -> str:
    """Return the page; every text in it is escaped, and only http and https become links."""
    return PAGE.format(
        colour=_colour(message.status, _severities(message)),
        subject=escape(words.subject),
        alerts="".join(_alert(alert, external_url) for alert in message.alerts),
        more=f"<p>&hellip; and {message.unlisted} more.</p>" if message.unlisted else "",
        receiver=escape(message.receiver),
        at=shown_time(message.at_ns),
    )


def _alert(alert: Notified, external_url: str) -> str:
    severity = alert.labels.get("severity", "")
    said = alert.annotations
    links = [_link(name, url) for name, url in links_of(alert, external_url).items() if url]
    return ALERT.format(
        colour=_colour(alert.status, {severity}),
        status=escape(alert.status.upper()),
        severity=escape(severity),
        name=escape(alert.labels.get("alertname", "")),
        summary=escape(said.get("summary") or said.get("description") or "no summary"),
        since=shown_time(alert.starts_at_ns),
        until="" if alert.ends_at_ns is None else f", until {shown_time(alert.ends_at_ns)}",
        labels=escape(", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))),
        links=" &middot; ".join(links),
    )


def _link(name: str, url: str) -> str:
    """Only what a browser opens over HTTP becomes a link; anything else is shown as it is."""
    if url.startswith(("https://", "http://")):
        return f'<a href="{escape(url)}">{escape(name)}</a>'
    return f"{escape(name)}: {escape(url)}"


def _severities(message: NotificationDue) -> set[str]:
    return {alert.labels.get("severity", "") for alert in message.alerts}


def _colour(status: str, severities: set[str]) -> str:
    if status != "firing":
        return GREEN
    return RED if severities & {"critical", "error"} else AMBER
