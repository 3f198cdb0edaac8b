"""Whether the system makes progress, as far as the teller of alerts can say; the dead man's switch follows it."""

from __future__ import annotations

from collections.abc import Callable

from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.alerts.dead_mans_switch import Progress
from trading_orchestrator.perpetual_operations.alerts.runtime import AlertsRuntime
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport


def progress_of(alerts: AlertsRuntime, report: Callable[[], HealthReport]) -> Progress:
    """Return what tells how the system does: None where another process tells of alerts.

    Holding the lease means that the journal took a write within its TTL; a lease that nobody gets is no progress.
    """

    def progress() -> Health | None:
        if alerts.is_told_elsewhere:
            return None
        own = alerts.health()
        if own.state is HealthState.UNHEALTHY:
            return own
        newest = report()
        if newest.state is HealthState.UNHEALTHY:
            return Health(HealthState.UNHEALTHY, newest.verdict)
        return Health(HealthState.HEALTHY, newest.verdict)

    return progress
