"""What the pools of this process tell of themselves, as metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trading_orchestrator.kernel.metrics import Meter
from trading_orchestrator.perpetual_operations.monitoring.sample import Sample
from trading_orchestrator.storage.connection_pool import PoolStatus
from trading_orchestrator.storage.connection_pool_manager import Timed
from trading_orchestrator.storage.wait_times import BOUNDS_S

GAUGES: tuple[tuple[str, str, Callable[[PoolStatus], float]], ...] = (
    ("trading_pool_size", "Connections that the pool may have", lambda status: status.size),
    ("trading_pool_open", "Connections that are open", lambda status: status.opened_total - status.closed_total),
    ("trading_pool_in_use", "Connections lent out", lambda status: status.in_use),
    ("trading_pool_waiting", "Callers that wait for one", lambda status: status.waiting),
    ("trading_pool_kept_too_long", "Lent out and not given back in time", lambda status: len(status.leaks)),
)
QUERIES, QUERIES_EVERY = "trading_database_query_seconds", 10
MOST, REFUSED, WAITS = "trading_pool_most_in_use", "trading_pool_refused_total", "trading_pool_wait_seconds"


class _Shown:
    """The metrics of one pool, found once: looking each up by its labels every second costs more than the pool."""

    def __init__(self, meter: Meter, pool: str) -> None:
        self.gauges = [(meter.gauge(name, described, pool=pool), value) for name, described, value in GAUGES]
        self.most = meter.gauge(MOST, "Most lent out at once since the start", pool=pool)
        self.refused = meter.counter(REFUSED, "Callers that waited in vain", pool=pool)
        self.waits = meter.histogram(WAITS, "How long callers waited for one", bounds=BOUNDS_S, pool=pool)


class PoolMetrics:
    """Follows the samples: each second every pool is read once. One event loop."""

    def __init__(
        self,
        statuses: Callable[[], Sequence[PoolStatus]],
        meter: Meter,
        queries: Callable[[], Sequence[tuple[str, Timed]]] = tuple,
    ) -> None:
        self._statuses = statuses
        self._queries = queries
        self._looks = 0
        self._meter = meter
        self._most: dict[str, int] = {}
        self._shown: dict[str, _Shown] = {}

    def __call__(self, sample: Sample) -> None:
        statuses = self._statuses()
        for status in statuses:
            self._show(status)
        if self._looks % QUERIES_EVERY == 0:
            for pool, timed in self._queries():
                took = self._meter.histogram(QUERIES, "Time a query took on its lane", pool=pool, query=timed.name)
                took.counts[:], took.total = timed.counts, timed.total_s
        self._looks += 1
        for gone in self._most.keys() - {status.name for status in statuses}:
            self._forget(gone)

    def _show(self, status: PoolStatus) -> None:
        pool = status.name
        shown = self._shown.get(pool) or self._shown.setdefault(pool, _Shown(self._meter, pool))
        for gauge, value in shown.gauges:
            gauge.set(value(status))
        most = self._most[pool] = max(self._most.get(pool, 0), status.in_use)
        shown.most.set(most)
        shown.refused.value = float(status.refused_total)
        if status.wait_counts:
            shown.waits.counts[:], shown.waits.total = status.wait_counts, status.wait_sum_s

    def _forget(self, pool: str) -> None:
        """A pool that was released, such as a channel's after a reload, stands still in no graph."""
        del self._most[pool], self._shown[pool]
        for name in (*(name for name, _, _ in GAUGES), MOST, REFUSED, WAITS):
            self._meter.forget(name, pool=pool)
