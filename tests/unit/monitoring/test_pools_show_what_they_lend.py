"""A pool's size, use and waits are metrics, and the most it ever lent is remembered."""

from __future__ import annotations

from pathlib import Path

import msgspec

from trading_orchestrator.kernel.metrics import Meter
from trading_orchestrator.perpetual_operations.monitoring.gauge import Gauge
from trading_orchestrator.perpetual_operations.monitoring.pool_metrics import PoolMetrics
from trading_orchestrator.perpetual_operations.monitoring.sample import LoopReadings
from trading_orchestrator.storage.connection_pool import PoolStatus

LENT = PoolStatus("database", 8, 6, 2, 3, 9, 1, 50, 4, 1.5, 250.0, "closed")


def test_a_pool_is_read_with_every_sample() -> None:
    statuses, meter = [LENT], Meter()
    metrics = PoolMetrics(lambda: statuses, meter)
    sample = Gauge(Path("/")).take(1, 1, LoopReadings())
    metrics(sample)
    statuses[:] = [msgspec.structs.replace(LENT, in_use=1, waiting=0)]
    metrics(sample)

    shown = {family.name: family.readings[0].value for family in meter.read()}
    assert {
        "trading_pool_size": 8,
        "trading_pool_in_use": 1,
        "trading_pool_waiting": 0,
        "trading_pool_wait_seconds_p99": 0.25,
        "trading_pool_refused_total": 4,
        "trading_pool_most_in_use": 6,
    } == shown
