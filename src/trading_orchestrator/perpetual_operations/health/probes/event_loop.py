"""Does our own event loop turn in time."""

from __future__ import annotations

from collections.abc import Callable

from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.health.health_checker import AtOnce

BLOCKED = "event_loop.blocked"


def event_loop_probe(worst_lag_s: Callable[[], float], *, degraded_s: float, unhealthy_s: float) -> AtOnce:
    """Return a probe that judges the worst lateness of the last ten seconds."""

    def judge() -> Health:
        worst_s = worst_lag_s()
        said = f"came {worst_s * 1000:.1f} ms late at worst in the last 10 s"
        if worst_s >= unhealthy_s:
            return Health(HealthState.UNHEALTHY, f"{said}; something blocks the loop", BLOCKED)
        if worst_s >= degraded_s:
            return Health(HealthState.DEGRADED, said)
        return Health(HealthState.HEALTHY, said)

    return AtOnce(judge)
