"""Where a reader of a message goes next: the incident, a chart of what is wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from trading_orchestrator.perpetual_operations.alerts.facts import Notified

ALERT = "/dashboard#alert-{fingerprint}"
INCIDENT = "/incidents/{incident_id}"
INCIDENTS_OF_PART = "/incidents?part={part}"
LAST_HOUR = "/dashboard#hour-title"
CHART = "/charts?series={series}"
RUNBOOK = "/runbooks/{runbook}"
RUNBOOK_FILE = "runbooks/{runbook}.md"  # for readers who cannot reach the console: a file of the distribution


def links_of(alert: Notified, external_url: str) -> Mapping[str, str]:
    """Return incident, chart and runbook; what an annotation gives in full (`runbook_url`) wins, and "" is none.

    Args:
        external_url: where readers reach our console; "" when they cannot.
    """
    said = alert.annotations
    return {
        "incident": said.get("incident_url") or _incident(alert, external_url),
        "chart": said.get("chart_url") or alert.generator_url or _chart(alert, external_url),
        "runbook": said.get("runbook_url") or _runbook(said.get("runbook", ""), external_url),
    }


def linked(alert: Notified, external_url: str) -> Notified:
    """Return the alert as other programs are told it: with its links, where the source gave none of its own."""
    links = links_of(alert, external_url)
    given = {"incident_url": links["incident"], "runbook_url": links["runbook"]}
    pages = {name: url for name, url in given.items() if url.startswith(("http://", "https://"))}
    return msgspec.structs.replace(
        alert, annotations={**alert.annotations, **pages}, generator_url=alert.generator_url or links["chart"]
    )


def _incident(alert: Notified, external_url: str) -> str:
    """The report where the alert names its incident, else the incidents of its part, else the alert on the page."""
    incident_id = alert.labels.get("incident_id") or alert.annotations.get("incident_id", "")
    if incident_id:
        return _ours(external_url, INCIDENT, incident_id=incident_id)
    if part := alert.labels.get("part", ""):
        return _ours(external_url, INCIDENTS_OF_PART, part=part)
    return _ours(external_url, ALERT, fingerprint=alert.fingerprint)


def _chart(alert: Notified, external_url: str) -> str:
    """The metric that the rule looks at, of the alert's node; an alert that stems from a fact has the last hour."""
    series = alert.annotations.get("series", "")
    if not series:
        return _ours(external_url, LAST_HOUR)
    node = alert.labels.get("node", "")
    return _ours(external_url, CHART + ("&node={node}" if node else ""), series=series, node=node)


def _runbook(name: str, external_url: str) -> str:
    if not name:
        return ""
    return _ours(external_url, RUNBOOK, runbook=name) or RUNBOOK_FILE.format(runbook=name)


def _ours(external_url: str, path: str, **holes: str) -> str:
    filled = path.format(**{name: quote(value, safe="") for name, value in holes.items()})
    return f"{external_url.rstrip('/')}{filled}" if external_url else ""
