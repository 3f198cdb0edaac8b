"""Each node of a host measures itself, and whoever answers /metrics tells of all of them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import msgspec

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.metrics import Meter
from trading_orchestrator.perpetual_operations.health.health_checker import HealthChecker
from trading_orchestrator.perpetual_operations.monitoring.config import HistoryConfig, MonitoringConfig
from trading_orchestrator.perpetual_operations.monitoring.gauge import Gauge
from trading_orchestrator.perpetual_operations.monitoring.history.of_sample import MetricTicks
from trading_orchestrator.perpetual_operations.monitoring.live import LiveFile, NodeNow, read_live, read_one
from trading_orchestrator.perpetual_operations.monitoring.metrics import Metrics, Readings
from trading_orchestrator.perpetual_operations.monitoring.node_watch import NodeWatch
from trading_orchestrator.perpetual_operations.monitoring.sample import LoopReadings

SECOND_NS = 1_000_000_000


def node_now(node: str, at_boot_ns: int, orders: int = 1) -> NodeNow:
    meter = Meter()
    meter.counter("trading_orders_intended_total", "Orders", desk="practice").add(orders)
    meter.histogram("trading_journal_append_seconds", "Time", bounds=(0.01, 0.1)).observe(0.05)
    sample = Gauge(Path("/")).take(1, at_boot_ns, LoopReadings(0.002))
    return NodeNow(node, at_boot_ns, sample, tuple(meter.read()))


def written(folder: Path, now: NodeNow) -> LiveFile:
    file = LiveFile(folder / now.node)
    file.write(now)
    return file


def test_living_nodes_are_read_and_the_dead_and_the_silent_are_not(tmp_path: Path) -> None:
    fresh, dead, silent = (node_now(name, at) for name, at in (("a", 100), ("b", 100), ("c", -20 * SECOND_NS)))
    files = [written(tmp_path, each) for each in (fresh, dead, silent)]

    found = read_live(tmp_path, now_boot_ns=200, is_alive=lambda node: node != "b")
    files[0].close()

    assert [fresh] == list(found)
    assert ["b", "c"] == sorted(path.name for path in tmp_path.iterdir())


def test_a_shorter_word_replaces_a_longer_one_and_a_torn_one_is_not_believed(tmp_path: Path) -> None:
    long, short = node_now("a", 1), msgspec.structs.replace(node_now("a", 2), metrics=())
    file = written(tmp_path, long)
    file.write(short)
    whole = read_one(tmp_path / "a")
    data = (tmp_path / "a").read_bytes()
    (tmp_path / "a").write_bytes(data[:40] + b"torn" + data[44:])

    assert short == whole
    assert read_one(tmp_path / "a") is None
    assert read_one(tmp_path / "nobody") is None


def test_one_answer_tells_of_every_node_under_its_name() -> None:
    clock = VirtualClock()
    nodes = [node_now("a", 1, orders=3), node_now("b", 1)]
    report = HealthChecker(clock, interval_s=1, deadline_s=1).report
    said = Metrics(Readings(lambda: nodes, lambda: report, lambda: 7), Meter()).expose().decode()

    assert 'trading_orders_intended_total{desk="practice",node="a"} 3.0' in said
    assert 'trading_orders_intended_total{desk="practice",node="b"} 1.0' in said
    assert 'trading_journal_append_seconds_bucket{le="0.1",node="b"} 1.0' in said
    assert 'trading_journal_append_seconds_bucket{le="+Inf",node="a"} 1.0' in said
    assert 'trading_loop_lag_seconds{node="a"} 0.002' in said
    assert 1 == said.count("\ntrading_host_cpu_ratio ")


def test_the_history_has_the_same_series_at_every_tick() -> None:
    meter, ticks = Meter(), MetricTicks()
    took = meter.histogram("took_seconds", "Time", bounds=(0.01, 0.1), desk="x")
    for route in ("/one", "/many"):
        meter.counter("trading_api_answers_total", "Answers", route=route, status="200").add()
        meter.histogram("answer_seconds", "Time", bounds=(0.01,), route=route).observe(0.05)
    took.observe(0.05)
    first = ticks.values_of(meter.read())
    second = ticks.values_of(meter.read())

    summed = {'trading_api_answers_total{status="200"}': 2.0}
    assert {'took_seconds_count{desk="x"}': 1.0, 'took_seconds_p99{desk="x"}': 0.1, **summed} == first
    assert list(first) == list(second)
    assert second['took_seconds_p99{desk="x"}'] != second['took_seconds_p99{desk="x"}']  # nan: nothing was timed


async def test_a_node_records_its_samples_and_its_metrics_and_leaves_no_live_file(tmp_path: Path) -> None:
    clock = VirtualClock()
    report = HealthChecker(clock, interval_s=1, deadline_s=1, node="a").report
    watch = NodeWatch(
        MonitoringConfig(), HistoryConfig(), clock=clock, data_dir=tmp_path, node="a", shares=True,
        report=lambda: report,
    )  # fmt: skip
    watch.meter.counter("orders_total", "Orders").add(5)
    running = [asyncio.create_task(part.run()) for part in watch.parts]
    async with asyncio.timeout(20):
        while watch.monitor.latest is None:  # noqa: ASYNC110 - a thread measures: let the loop turn until it has
            await asyncio.sleep(0.001)
    for task in reversed(running):
        task.cancel()
        await asyncio.wait((task,))
    seen, left = watch.nodes_now(), read_one(tmp_path / "live" / "a")
    watch.close()

    lines = {line.series for line in await watch.history.series()}
    assert {"orders_total@a", "process_rss_bytes@a", "clock_offset_s@a"} <= lines
    assert ["a"] == [now.node for now in seen]
    assert left is not None
    assert report == left.health
    assert [] == list((tmp_path / "live").iterdir())


def test_a_node_that_only_trades_records_without_numpy_or_a_metric_library(tmp_path: Path) -> None:
    script = f"""
import asyncio, sys
from pathlib import Path
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.perpetual_operations.monitoring.config import HistoryConfig, MonitoringConfig
from trading_orchestrator.perpetual_operations.monitoring.node_watch import NodeWatch

async def main():
    watch = NodeWatch(MonitoringConfig(interval_s=0.1), HistoryConfig(), clock=SystemClock(),
                      data_dir=Path({str(tmp_path)!r}), node="trader", shares=True)
    running = [asyncio.create_task(part.run()) for part in watch.parts]
    while len(watch.monitor.samples()) < 2:
        await asyncio.sleep(0.01)
    for task in reversed(running):
        task.cancel()
        await asyncio.wait((task,))
    watch.close()

asyncio.run(main())
print(*(name for name in ("numpy", "prometheus_client", "fastapi") if name in sys.modules), "metrics.db")
"""
    said = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)

    assert "metrics.db" == said.stdout.strip()
    assert (tmp_path / "metrics.db").stat().st_size > 0
