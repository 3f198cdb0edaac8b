"""What is measured for months takes the memory of an hour, and lateness of the loop is never missed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from trading_orchestrator.kernel.clock import Timer, VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.health.probes.event_loop import event_loop_probe
from trading_orchestrator.perpetual_operations.monitoring.config import MonitoringConfig
from trading_orchestrator.perpetual_operations.monitoring.gauge import Gauge
from trading_orchestrator.perpetual_operations.monitoring.loop_lag import LoopLag
from trading_orchestrator.perpetual_operations.monitoring.sample import LoopReadings
from trading_orchestrator.perpetual_operations.monitoring.system_monitor import SystemMonitor


class BusyClock(VirtualClock):
    """A clock whose timers come late, as on a loop that something blocks."""

    late_s = 0.0

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        return super().call_later(seconds + self.late_s, call)


async def run_for(lag: LoopLag, clock: VirtualClock, seconds: float) -> None:
    running = asyncio.create_task(lag.run())
    await clock.advance(seconds)
    running.cancel()


async def test_the_ring_keeps_the_newest_samples_and_no_more(tmp_path: Path) -> None:
    clock = VirtualClock()
    monitor = SystemMonitor(
        MonitoringConfig(ring_len=10), clock=clock, data_dir=tmp_path, take_loop_lag_s=lambda: 0.001
    )
    running = asyncio.create_task(monitor.run())
    seen: set[int] = set()
    while len(seen) < 25:  # samples are taken on a real thread: let the loop turn until they are there
        await asyncio.sleep(0.001)
        await clock.advance(1.0)
        seen |= {sample.at_ns for sample in monitor.samples()}
    running.cancel()

    assert 10 == len(monitor.samples())
    kept = {sample.at_ns for sample in monitor.samples()}  # two of one moment when the thread was slow
    assert sorted(seen)[-len(kept) :] == sorted(kept)
    assert monitor.samples(3)[-1] is monitor.latest


def test_a_sample_tells_the_truth_about_this_process(tmp_path: Path) -> None:
    sample = Gauge(tmp_path / "not" / "there").take(1, 1, LoopReadings(0.25, tasks=7))

    assert sample.process_rss_bytes > 10_000_000
    assert sample.process_threads >= 1
    assert sample.process_descriptors >= 3
    assert 0 < sample.disk_used_ratio <= 1
    assert 0 < sample.host_memory_ratio <= 1
    assert 0 < sample.inodes_free_ratio <= 1
    assert (1, 0.25, 7) == (sample.at_ns, sample.loop_lag_s, sample.process_tasks)


async def test_lateness_is_the_time_beyond_the_sleep() -> None:
    clock = BusyClock()
    clock.late_s = 0.3
    lag = LoopLag(clock, every_s=0.1)

    await run_for(lag, clock, 1.0)

    assert 0.3 == pytest.approx(lag.take_peak_s())
    assert 0.3 == pytest.approx(lag.worst_s())


async def test_a_peak_is_handed_out_once_and_remembered_for_the_probe() -> None:
    clock = BusyClock()
    lag = LoopLag(clock, every_s=0.1)
    clock.late_s = 0.5
    await run_for(lag, clock, 0.6)
    lag.take_peak_s()
    clock.late_s = 0.0
    await run_for(lag, clock, 0.2)

    assert 0 == pytest.approx(lag.take_peak_s())
    assert 0.5 == pytest.approx(lag.worst_s())


@pytest.mark.parametrize(
    ("late_s", "state"),
    [(0.01, HealthState.HEALTHY), (0.3, HealthState.DEGRADED), (1.5, HealthState.UNHEALTHY)],
)
async def test_the_probe_judges_the_worst_lateness(late_s: float, state: HealthState) -> None:
    health = await event_loop_probe(lambda: late_s, degraded_s=0.25, unhealthy_s=1.0)()

    assert state is health.state
    assert f"{late_s * 1000:.1f} ms late" in health.reason
