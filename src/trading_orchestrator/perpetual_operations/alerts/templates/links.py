"""Where a reader of a message goes next: the incident, a chart of what is wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from trading_orchestrator.perpetual_operations.alerts.facts import Notified

INCIDENT = "/dashboard?alert={fingerprint}"
CHART = "/dashboard?alert={fingerprint}#charts"
RUNBOOK = "runbooks/{runbook}.md"  # a file of the distribution, not an address: the console serves none


def links_of(alert: Notified, external_url: str) -> Mapping[str, str]:
    """Return incident, chart and runbook; what an annotation gives in full (`runbook_url`) wins, and "" is none.

    Args:
        external_url: where readers reach our console; "" when they cannot.
    """
    said = alert.annotations
    runbook = said.get("runbook", "")
    return {
        "incident": said.get("incident_url") or _ours(external_url, INCIDENT, fingerprint=alert.fingerprint),
        "chart": said.get("chart_url")
        or alert.generator_url
        or _ours(external_url, CHART, fingerprint=alert.fingerprint),
        "runbook": said.get("runbook_url") or (RUNBOOK.format(runbook=runbook) if runbook else ""),
    }


def _ours(external_url: str, path: str, **holes: str) -> str:
    filled = path.format(**{name: quote(value, safe="") for name, value in holes.items()})
    return f"{external_url.rstrip('/')}{filled}" if external_url else ""
