"""What the pools of this process tell of themselves, as metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trading_orchestrator.kernel.metrics import Meter
from trading_orchestrator.perpetual_operations.monitoring.sample import Sample
from trading_orchestrator.storage.connection_pool import PoolStatus

GAUGES: tuple[tuple[str, str, Callable[[PoolStatus], float]], ...] = (
    ("trading_pool_size", "Connections that the pool may have", lambda status: status.size),
    ("trading_pool_in_use", "Connections lent out", lambda status: status.in_use),
    ("trading_pool_waiting", "Callers that wait for one", lambda status: status.waiting),
    ("trading_pool_wait_seconds_p99", "Wait for one, of the last minutes", lambda status: status.wait_p99_ms / 1e3),
    ("trading_pool_refused_total", "Callers that waited in vain", lambda status: status.refused_total),
)
MOST = "trading_pool_most_in_use"


class PoolMetrics:
    """Follows the samples: each second every pool is read once. One event loop."""

    def __init__(self, statuses: Callable[[], Sequence[PoolStatus]], meter: Meter) -> None:
        self._statuses = statuses
        self._meter = meter
        self._most: dict[str, int] = {}

    def __call__(self, sample: Sample) -> None:
        for status in self._statuses():
            for name, described, value in GAUGES:
                self._meter.gauge(name, described, pool=status.name).set(value(status))
            most = self._most[status.name] = max(self._most.get(status.name, 0), status.in_use)
            self._meter.gauge(MOST, "Most lent out at once since the start", pool=status.name).set(most)
