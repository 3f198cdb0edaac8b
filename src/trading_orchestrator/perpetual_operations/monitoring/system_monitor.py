"""SystemMonitor: host and process, once a second, into a bounded ring and to whoever keeps them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.monitoring.config import MonitoringConfig
from trading_orchestrator.perpetual_operations.monitoring.gauge import Gauge
from trading_orchestrator.perpetual_operations.monitoring.gc_watch import GcWatch
from trading_orchestrator.perpetual_operations.monitoring.sample import LoopReadings, Sample


class SystemMonitor:
    """Measures on a thread of its own, so that a slow disk cannot delay the loop.

    Concurrency: `run` on one loop; `latest` and `samples` from any thread (a deque's append and copy are atomic).

    Args:
        tell: is called on the loop with each sample, right after it was taken; must not block.
        publish: is called with each sample on the measuring thread, and may block.
    """

    name = "system_monitor"
    depends_on: Sequence[str] = ()

    def __init__(
        self,
        config: MonitoringConfig,
        *,
        clock: Clock,
        data_dir: Path,
        take_loop_lag_s: Callable[[], float],
        tell: Callable[[Sample], None] = lambda sample: None,
        publish: Callable[[Sample], None] = lambda sample: None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._data_dir = data_dir
        self._take_loop_lag_s = take_loop_lag_s
        self._tell = tell
        self._publish = publish
        self._every = 1
        self._gc = GcWatch(clock)
        self._ring: deque[Sample] = deque(maxlen=config.ring_len)

    @property
    def latest(self) -> Sample | None:
        """Return the newest sample, or None before the first."""
        return self._ring[-1] if self._ring else None

    @property
    def interval_s(self) -> float:
        """Return the time between two samples as it is now."""
        return self._config.interval_s * self._every

    def forget(self) -> None:
        """Drop the samples: what was measured long ago says nothing of now."""
        self._ring.clear()

    def slow_down(self, every: int) -> None:
        """Sample only every so many intervals, to spare a host under pressure; 1 is as configured."""
        self._every = every

    def samples(self, limit: int | None = None) -> Sequence[Sample]:
        """Return the newest samples, oldest first."""
        kept = list(self._ring)
        return kept if limit is None else kept[-limit:]

    def health(self) -> Health:
        latest = self.latest
        if latest is None:
            return Health(HealthState.STARTING, "no sample yet")
        age_s = (self._clock.wall_ns() - latest.at_ns) / 1e9
        if age_s > 5 * self.interval_s + 1:
            return Health(HealthState.UNHEALTHY, f"the last sample is {age_s:.0f} s old")
        return Health(HealthState.HEALTHY, f"{len(self._ring)} samples kept")

    async def run(self) -> None:
        """Sample until cancelled."""
        loop = asyncio.get_running_loop()
        gauge = Gauge(self._data_dir)
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="system-monitor")
        self._gc.start()
        try:
            while True:
                began_ns = self._clock.monotonic_ns()
                sample = await loop.run_in_executor(thread, self._take, gauge, self._loop_readings())
                self._ring.append(sample)
                self._tell(sample)
                took_s = (self._clock.monotonic_ns() - began_ns) / 1e9
                await self._clock.sleep(max(0.0, self.interval_s - took_s))
        finally:
            self._gc.stop()
            thread.shutdown(wait=False)  # a disk that hangs must not hold up the loop that leaves

    def _loop_readings(self) -> LoopReadings:
        return LoopReadings(
            self._take_loop_lag_s(), len(asyncio.all_tasks()), self._gc.take_longest_s(), self._gc.collections
        )

    def _take(self, gauge: Gauge, readings: LoopReadings) -> Sample:
        sample = gauge.take(self._clock.wall_ns(), self._clock.boot_ns(), readings)
        self._publish(sample)
        return sample
