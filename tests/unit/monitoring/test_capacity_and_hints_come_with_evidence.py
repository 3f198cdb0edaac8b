"""How much more fits, from what was measured, and hints that name their figures; without measurements, no promise."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.kernel.metrics import LATENCY_S, Meter
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport, PartHealth
from trading_orchestrator.perpetual_operations.monitoring.analytics.capacity import capacity
from trading_orchestrator.perpetual_operations.monitoring.analytics.hints import Seen, hints
from trading_orchestrator.perpetual_operations.monitoring.gauge import Gauge
from trading_orchestrator.perpetual_operations.monitoring.live import NodeNow
from trading_orchestrator.perpetual_operations.monitoring.pool_metrics import PoolMetrics
from trading_orchestrator.perpetual_operations.monitoring.sample import LoopReadings
from trading_orchestrator.storage.use_figures import UseFigures

MINUTES = 60
ORDERS = 'trading_orders_intended_total{desk="x"}@a'


def trader(meter: Meter | None = None, **numbers: float) -> NodeNow:
    meter = meter or Meter()
    meter.watch("trading_lease_age_seconds", "Age", lambda: 0.1, lease="desk/x")
    meter.counter("trading_orders_intended_total", "Orders", desk="x").add()
    usual = {
        "process_rss_bytes": 100_000_000,
        "host_memory_ratio": 0.5,
        "host_memory_available_bytes": 8_000_000_000,
        "gc_pause_s": 0.0,
    }
    sample = msgspec.structs.replace(Gauge(Path("/")).take(1, 1, LoopReadings()), **(usual | numbers))
    return NodeNow("a-1", 1, sample, tuple(meter.read()))


def lines(**values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    names = {"host": "host_cpu_ratio", "cpu": "process_cpu_ratio@a", "orders": ORDERS}
    return {names[key]: np.column_stack([np.arange(len(each)) * 60.0, each]) for key, each in values.items()}


def measured(kept: dict[str, NDArray[np.float64]], key: str) -> NDArray[np.float64]:
    return kept.get(key, np.empty((0, 2)))


def test_orders_fit_until_the_loop_is_busy_and_desks_until_cores_or_memory_end() -> None:
    rates = np.tile([10.0, 20.0, 40.0], MINUTES // 3)
    kept = lines(host=np.full(MINUTES, 0.3), cpu=0.05 + 0.005 * rates, orders=rates)

    found = capacity([trader()], lambda key: measured(kept, key), cores=4)

    assert found.sure
    assert 70.0 == found.orders_s.more  # (0.6 - 0.25) core / 5 ms
    assert "an order costs 5.0 ms" in found.orders_s.because
    assert (1, 8) == (found.desks.now, found.desks.more)  # 4 cores x (0.8 - 0.3) / 0.25
    assert "CPU: a desk takes 0.250 of a core, 2.00 cores are free" == found.desks.because


def test_memory_may_be_what_ends_first() -> None:
    kept = lines(host=np.full(MINUTES, 0.1), cpu=np.full(MINUTES, 0.01), orders=np.full(MINUTES, 1.0))

    found = capacity([trader(process_rss_bytes=2_000_000_000)], lambda key: measured(kept, key), cores=64)

    assert 2 == found.desks.more  # 8 GB less a fifth of 16 GB, at 2 GB each
    assert found.desks.because.startswith("memory: a node takes 2000 MB, 4,800 MB are free")


@pytest.mark.parametrize(("nodes", "minutes"), [([], 60), ([trader()], 1)])
def test_what_was_not_measured_is_not_promised(nodes: list[NodeNow], minutes: int) -> None:
    kept = lines(host=np.full(minutes, 0.1))

    found = capacity(nodes, lambda key: measured(kept, key), cores=2)

    assert not found.sure
    assert found.sentence.startswith("Not measured yet")
    assert 0 == found.orders_s.more


def report(took_ms: float) -> HealthReport:
    part = PartHealth("journal", HealthState.HEALTHY, "", (), (), took_ms, 0)
    return HealthReport(1, HealthState.HEALTHY, "All well.", (), (part,))


def test_each_hint_names_the_figures_behind_it() -> None:
    meter = Meter()
    slow = meter.histogram("trading_api_answer_seconds", "Time", bounds=LATENCY_S, route="/api/orders")
    commits = meter.histogram("trading_journal_append_seconds", "Time")
    for _ in range(30):
        slow.observe(0.7)
        commits.observe(0.08)
    meter.gauge("trading_pool_size", "Size", pool="database").set(20)
    meter.gauge("trading_pool_open", "Open", pool="database").set(3)
    meter.gauge("trading_pool_most_in_use", "Most", pool="database").set(2)

    found = {hint.code: hint for hint in hints(Seen([trader(meter, gc_pause_s=0.2)], report(90.0), 1.0))}

    assert "p99 1 s over 30 answers of node a-1" == found["hint.slow_query"].evidence
    assert "p99 0.1 s over 30 appends" == found["hint.slow_commit"].evidence
    assert "took 90 ms, 9 % of the 1 s between rounds" == found["hint.hot_probe"].evidence
    assert "20 connections on node a-1, at most 2 in use at once" == found["hint.oversize_pool"].evidence
    assert "a collection of garbage stopped it for 200 ms" == found["hint.long_collection"].evidence


def test_a_slow_query_of_a_database_is_named_with_its_pool() -> None:
    meter = Meter()
    for query, took_s in (("facts_before", 0.4), ("heads", 0.001)):
        took = meter.histogram("trading_database_query_seconds", "Time", pool="journal-reader", query=query)
        for _ in range(25):
            took.observe(took_s)

    (found,) = hints(Seen([trader(meter)], report(1.0), 1.0))

    assert ("hint.slow_query", "facts_before on journal-reader") == (found.code, found.subject)
    assert "p99 0.5 s over 25 runs on node a-1, 10 s in all" == found.evidence


def test_where_all_is_well_there_is_no_hint() -> None:
    assert [] == list(hints(Seen([trader()], report(1.0), 1.0)))


def test_a_bound_that_opens_nothing_is_not_oversize() -> None:
    meter, requests = Meter(), UseFigures("practice", 100, VirtualClock(), long_s=60.0)
    with requests.at_it("submit"):
        PoolMetrics(lambda: [requests.status()], meter)(trader().sample)

    assert [] == list(hints(Seen([trader(meter)], report(1.0), 1.0)))
