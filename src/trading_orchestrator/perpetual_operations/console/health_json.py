"""A health report after the health+json convention, with our own words beside it.

Source: draft-inadarei-api-health-check-06. One departure: the answer has status 200 also when the system fails, for the
console that gives it is well; `/readyz` says by its status whether this process should be asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport, PartHealth
from trading_orchestrator.perpetual_operations.health.of_all_nodes import merged

MEDIA_TYPE = "application/health+json"
PASS, WARN, FAIL = "pass", "warn", "fail"
STATUS: Mapping[HealthState, str] = {
    HealthState.HEALTHY: PASS,
    HealthState.STARTING: WARN,
    HealthState.DEGRADED: WARN,
    HealthState.UNKNOWN: FAIL,
    HealthState.STOPPED: FAIL,
    HealthState.UNHEALTHY: FAIL,
}


def health_json(own: HealthReport, others: Sequence[HealthReport] = (), *, node: str, version: str) -> bytes:
    """Return the reports of all nodes as JSON: `status` and `checks` are the convention's, the rest is the page's.

    A part has one check for each node that answers for it.
    """
    report = merged(own, others)
    affects: dict[str, dict[str, None]] = {}
    checks: dict[str, list[dict[str, object]]] = {}
    for part in report.parts:
        for cause in part.because_of:
            affects.setdefault(cause, {})[part.name] = None
    for part in report.parts:
        checks.setdefault(part.name, []).append(_check(part, report.at_ns, [*affects.get(part.name, ())]))
    is_aside = report.state is HealthState.UNKNOWN and not report.parts  # nobody is asked, so nobody has failed
    status = WARN if is_aside else STATUS[report.state]
    about: dict[str, object] = {
        "status": status,
        "version": "1",
        "releaseId": version,
        "serviceId": node,
        "description": "health of every part, by the nodes that answer for it",
        "checks": checks,
    }
    if status != PASS:
        about["output"] = report.verdict
    return msgspec.json.encode(about | msgspec.structs.asdict(report))


def _check(part: PartHealth, at_ns: int, affects: list[str]) -> dict[str, object]:
    check: dict[str, object] = {
        "componentId": part.name,
        "componentType": part.kind.value,
        "status": STATUS[part.state],
        "time": datetime.fromtimestamp(at_ns / 1e9, UTC).isoformat(timespec="milliseconds"),
        "observedValue": part.took_ms,
        "observedUnit": "ms",
        "node": part.node,
    }
    if check["status"] != PASS:  # the convention leaves it out when there is nothing to say
        check["output"] = part.reason
    if affects:
        check["affects"] = affects
    if part.because_of:
        check["becauseOf"] = part.because_of
    return check
