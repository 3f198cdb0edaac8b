"""A pool's size, use and waits are metrics, and the most it ever lent is remembered."""

from __future__ import annotations

from pathlib import Path

import msgspec

from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.kernel.metrics import Kind, Meter
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport
from trading_orchestrator.perpetual_operations.monitoring.gauge import Gauge
from trading_orchestrator.perpetual_operations.monitoring.history.of_sample import MetricTicks
from trading_orchestrator.perpetual_operations.monitoring.live import NodeNow
from trading_orchestrator.perpetual_operations.monitoring.metrics import Metrics, Readings
from trading_orchestrator.perpetual_operations.monitoring.pool_metrics import PoolMetrics
from trading_orchestrator.perpetual_operations.monitoring.sample import LoopReadings
from trading_orchestrator.storage.connection_pool import Leak, PoolStatus
from trading_orchestrator.storage.wait_times import BOUNDS_S

WAITS = (0, 40, 8, *[0] * (len(BOUNDS_S) - 3), 2)
LENT = PoolStatus(
    "database", 8, 6, 2, 3, 9, 1, 50, 4, 1.5, 250.0, "closed", (Leak("shop.py:8", 61.0),), WAITS, 130.25, 90.0
)


def shown_by(meter: Meter) -> dict[str, float]:
    return {family.name: family.readings[0].value for family in meter.read() if family.readings}


def test_a_pool_is_read_with_every_sample() -> None:
    statuses, meter = [LENT], Meter()
    metrics = PoolMetrics(lambda: statuses, meter)
    sample = Gauge(Path("/")).take(1, 1, LoopReadings())
    metrics(sample)
    statuses[:] = [msgspec.structs.replace(LENT, in_use=1, waiting=0, leaks=())]
    metrics(sample)

    assert {
        "trading_pool_size": 8,
        "trading_pool_open": 8,
        "trading_pool_in_use": 1,
        "trading_pool_waiting": 0,
        "trading_pool_kept_too_long": 0,
        "trading_pool_refused_total": 4,
        "trading_pool_most_in_use": 6,
        "trading_pool_wait_seconds": 130.25,
    } == shown_by(meter)
    kinds = {family.name: family.kind for family in meter.read()}
    assert (Kind.COUNTER, Kind.HISTOGRAM) == (kinds["trading_pool_refused_total"], kinds["trading_pool_wait_seconds"])


def test_the_history_keeps_one_series_for_each_name() -> None:
    statuses, meter, ticks = [LENT], Meter(), MetricTicks()
    metrics = PoolMetrics(lambda: statuses, meter)
    metrics(Gauge(Path("/")).take(1, 1, LoopReadings()))
    names = [name for family in meter.read() for name in ticks.values_of([family])]

    assert sorted({*names}) == sorted(names)
    assert 'trading_pool_wait_seconds_p99{pool="database"}' in names


def test_a_pool_that_is_released_stands_in_no_graph() -> None:
    statuses, meter = [LENT], Meter()
    metrics = PoolMetrics(lambda: statuses, meter)
    sample = Gauge(Path("/")).take(1, 1, LoopReadings())
    metrics(sample)
    statuses.clear()
    metrics(sample)

    assert {} == shown_by(meter)


def test_waits_and_collections_reach_prometheus_as_what_they_are() -> None:
    statuses, meter = [LENT], Meter()
    sample = msgspec.structs.replace(Gauge(Path("/")).take(1, 1, LoopReadings()), gc_collections=7)
    PoolMetrics(lambda: statuses, meter)(sample)
    now = NodeNow("a-1", 1, sample, tuple(meter.read()))
    report = HealthReport(1, HealthState.HEALTHY, "All well.", (), ())

    said = Metrics(Readings(lambda: [now], lambda: report, lambda: 1), meter).expose().decode().splitlines()

    waits = [line for line in said if line.startswith("trading_pool_wait_seconds_bucket")]
    assert 'le="0.001"' in waits[2]
    assert waits[2].endswith(" 48.0")
    assert waits[-1].endswith(" 50.0")
    assert {"# TYPE trading_pool_refused_total counter", "# TYPE trading_gc_collections_total counter"} <= {*said}
    assert 'trading_gc_collections_total{node="a-1"} 7.0' in said
    assert any(line.startswith("trading_pool_refused_total{") and line.endswith(" 4.0") for line in said)
