"""The analyst watches every series of every node by the minute; a new process in a node's place is the same series."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import numpy as np

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.metrics import Family, Kind, Meter, Reading
from trading_orchestrator.perpetual_operations.monitoring.analytics.analyst import Analyst, Limit
from trading_orchestrator.perpetual_operations.monitoring.analytics.config import AnalyticsConfig
from trading_orchestrator.perpetual_operations.monitoring.config import HistoryConfig
from trading_orchestrator.perpetual_operations.monitoring.gauge import Gauge
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_history import MetricsHistory
from trading_orchestrator.perpetual_operations.monitoring.history.pending import Ticks
from trading_orchestrator.perpetual_operations.monitoring.history.writer import HistoryWriter
from trading_orchestrator.perpetual_operations.monitoring.live import NodeNow
from trading_orchestrator.perpetual_operations.monitoring.sample import LoopReadings, Sample

MINUTE_NS = 60_000_000_000
START_NS = 1_700_000_040_000_000_000


class Host:
    """One node of a host whose numbers a test chooses."""

    def __init__(self) -> None:
        self.sample: Sample = Gauge(Path("/")).take(1, 1, LoopReadings())
        self.node = "a-1"
        self.orders = 0.0
        self.noise = np.random.default_rng(1)

    def nodes_now(self) -> list[NodeNow]:
        reading = Reading((("desk", "x"),), self.orders)
        orders = Family("trading_orders_intended_total", Kind.COUNTER, "Orders", (reading,))
        lag_s = self.sample.loop_lag_s + abs(float(self.noise.normal(0, 0.0005)))
        sample = msgspec.structs.replace(self.sample, loop_lag_s=lag_s)
        return [NodeNow(self.node, 1, sample, (orders,))]

    def change(self, **numbers: float) -> None:
        self.sample = msgspec.structs.replace(self.sample, **numbers)


def watched(analyst: Analyst, first: int, minutes: int, each: object = None) -> list[str]:
    """Look once a minute and return the series of all anomalies."""
    told = []
    for minute in range(first, first + minutes):
        if callable(each):
            each(minute)
        told += [anomaly.series for anomaly in analyst.look(START_NS + minute * MINUTE_NS)]
    return told


def test_an_unusual_minute_is_told_with_what_is_usual() -> None:
    host = Host()
    host.change(loop_lag_s=0.001)
    analyst = Analyst(AnalyticsConfig(), clock=VirtualClock(), nodes_now=host.nodes_now)
    quiet = watched(analyst, 0, 700)
    host.change(loop_lag_s=0.4)
    told = watched(analyst, 700, 2)

    assert [] == quiet
    assert ["loop_lag_s@a"] == told
    assert analyst.anomalies[-1].sentence.startswith("loop_lag_s@a is unusual (")
    assert analyst.anomalies[-1].usual < 0.01 < analyst.anomalies[-1].value


def test_a_process_in_the_same_place_goes_on_with_the_series_and_its_counters_begin_anew() -> None:
    host = Host()
    analyst = Analyst(AnalyticsConfig(), clock=VirtualClock(), nodes_now=host.nodes_now)

    def trade(minute: int) -> None:
        host.orders = 600.0 * (minute % 300)
        host.node = f"a-{minute // 300}"

    watched(analyst, 0, 602, trade)
    rates = analyst.minutes_of('trading_orders_intended_total{desk="x"}@a')[:, 1]

    assert 599 <= len(rates)
    assert [10.0] == np.unique(rates[np.arange(len(rates)) % 300 != 299]).tolist()


def test_what_runs_out_is_told_with_the_soonest_first_and_taken_back() -> None:
    host, meter = Host(), Meter()
    limits = [
        Limit("disk full", "disk_free_bytes", 1e9, falls=True),
        Limit("memory limit of node a", "process_rss_bytes@a", 1e9),
    ]
    analyst = Analyst(
        AnalyticsConfig(), clock=VirtualClock(), nodes_now=host.nodes_now, limits=lambda nodes: limits, meter=meter
    )

    def grow(minute: int) -> None:
        host.change(disk_free_bytes=1e10 - minute * 1e7, process_rss_bytes=1e8 + minute * 1e7)

    watched(analyst, 0, 60, grow)
    found = analyst.exhaustions
    watched(analyst, 60, 600, lambda minute: host.change(disk_free_bytes=5e10, process_rss_bytes=1e8))

    assert ["memory limit of node a", "disk full"] == [each.resource for each in found]
    assert found[0].sentence.startswith("memory limit of node a in 32.0 min")
    assert () == analyst.exhaustions
    assert () == next(family.readings for family in meter.read() if family.name == "trading_exhaustion_seconds")


async def test_after_a_restart_the_past_is_known_and_nothing_normal_is_news(tmp_path: Path) -> None:
    clock = VirtualClock()
    end_ns = clock.wall_ns() // MINUTE_NS * MINUTE_NS
    path = tmp_path / "metrics.db"
    rng = np.random.default_rng(3)
    writer = HistoryWriter(path, "a-old", HistoryConfig())
    at = [end_ns - minute * MINUTE_NS for minute in range(1500, 0, -1)]
    writer.write([Ticks(("loop_lag_s",), at, [(0.3 + abs(float(rng.normal(0, 0.01))),) for _ in at])])
    writer.close()
    host = Host()
    host.change(loop_lag_s=0.31)
    analyst = Analyst(
        AnalyticsConfig(),
        clock=clock,
        nodes_now=host.nodes_now,
        history=MetricsHistory(HistoryConfig(), clock=clock, path=path, node="a-new"),
    )
    running = asyncio.create_task(analyst.run())
    async with asyncio.timeout(20):
        while analyst.health().reason == "not looked yet":  # noqa: ASYNC110 - it looks on a thread
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.wait((running,))
    normal = [anomaly.series for minute in range(5) for anomaly in analyst.look(end_ns + minute * MINUTE_NS)]
    host.change(loop_lag_s=2.0)
    then = [anomaly.series for minute in range(5, 8) for anomaly in analyst.look(end_ns + minute * MINUTE_NS)]

    assert [] == normal
    assert ["loop_lag_s@a"] == then
