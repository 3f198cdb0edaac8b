"""The last hour of this host, for the page: a few curves from the metrics history, refreshed beside the look."""

from __future__ import annotations

import asyncio

import msgspec

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_history import MetricsHistory

HOUR_NS = 3_600_000_000_000
POINTS = 120
KEEP_NS = 10_000_000_000
CURVES = (("CPU", "host_cpu_ratio"), ("memory", "host_memory_ratio"), ("loop late", "loop_lag_s"))


class Curve(msgspec.Struct, frozen=True):
    """Highest value of each bucket that has one, oldest first, between `start_ns` and `end_ns`."""

    title: str
    series: str
    start_ns: int
    end_ns: int
    width_ns: int
    at_ns: list[int]
    highest: list[float]


class LastHour:
    """Keeps the curves of the newest read; asking never waits for the disk. One event loop."""

    def __init__(self, history: MetricsHistory, clock: Clock) -> None:
        self._history = history
        self._clock = clock
        self._curves: tuple[Curve, ...] = ()
        self._read_ns: int | None = None
        self._reading: asyncio.Task[None] | None = None

    def curves(self) -> tuple[Curve, ...]:
        """Return the curves as last read, and have them read again when they are older than ten seconds."""
        now_ns = self._clock.monotonic_ns()
        is_old = self._read_ns is None or now_ns - self._read_ns > KEEP_NS
        if is_old and (self._reading is None or self._reading.done()):
            self._read_ns = now_ns
            self._reading = asyncio.get_running_loop().create_task(self._read(), name="last-hour")
        return self._curves

    async def _read(self) -> None:
        end_ns = self._clock.wall_ns()
        try:
            self._curves = tuple([await self._curve(title, series, end_ns) for title, series in CURVES])
        except OrchestratorError:
            self._curves = ()  # the page shows everything else; the health of `metrics_history` says why

    async def _curve(self, title: str, series: str, end_ns: int) -> Curve:
        found = await self._history.range(series, end_ns - HOUR_NS, end_ns, POINTS)
        return Curve(title, series, found.start_ns, found.end_ns, found.width_ns, found.at_ns, found.max)
