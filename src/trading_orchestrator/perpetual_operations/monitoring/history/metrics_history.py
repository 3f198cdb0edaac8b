"""MetricsHistory: what was measured, on disk; recorded on the loop, written and read off it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.monitoring.config import HistoryConfig
from trading_orchestrator.perpetual_operations.monitoring.history.answers import Line, Range
from trading_orchestrator.perpetual_operations.monitoring.history.pending import Pending, Ticks

if TYPE_CHECKING:
    from trading_orchestrator.perpetual_operations.monitoring.history.reader import HistoryReader
    from trading_orchestrator.perpetual_operations.monitoring.history.writer import HistoryWriter

log = logging.getLogger(__name__)
MOST_PENDING_VALUES = 300_000  # 12 MB while the disk is full; 300 series for a quarter of an hour
LAST_WRITE_S = 3.0
LATE_FLUSHES = 10  # sealing an hour takes longer than a write, a disk that hangs takes for ever
SPARED_DAYS, SPARED_MINUTE_DAYS = 1, 7
TICK_NS = 1_000_000
# They bring numpy (0.1 s, 16 MB), which holds up the loop even from a thread: import them before anything runs on it.
HISTORY_MODULES = (
    "trading_orchestrator.perpetual_operations.monitoring.history.reader",
    "trading_orchestrator.perpetual_operations.monitoring.history.writer",
    "trading_orchestrator.perpetual_operations.monitoring.history.sealing",
    "trading_orchestrator.perpetual_operations.monitoring.history.sparse",
)


class MetricsHistory:
    """Keeps the series of one node beside those of all others in one file.

    Concurrency: `record` and the questions from one event loop; nothing here makes it wait for the disk. A program
    that ends before its first write, and has no data directory yet, leaves none behind.
    """

    name = "metrics_history"
    depends_on: Sequence[str] = ()

    def __init__(self, config: HistoryConfig, *, clock: Clock, path: Path, node: str) -> None:
        self._config = self._keeps = config
        self._clock = clock
        self._path = path
        self._node = node
        self._pending = Pending(MOST_PENDING_VALUES)
        self._trouble = ""
        self._written_ns: int | None = None
        self._reader: HistoryReader | None = None
        self._opening = threading.Lock()
        self._keeps_house = False

    def load(self) -> None:
        """Import what reading and sealing need, and keep house from now on.

        A node that never does this only writes; the hours it leaves are sealed by one that does.
        """
        for module in HISTORY_MODULES:
            import_module(module)
        self._keeps_house = True

    def record(self, at_ns: int, values: Mapping[str, float]) -> None:
        """Keep one tick: what was measured at one moment, by series. Costs microseconds.

        Names are up to you, but for `@`; times are kept to the millisecond, values to the bit. Record what belongs
        together in one call: series of one call share their times on disk.
        """
        self._pending.add(at_ns // TICK_NS * TICK_NS, values)

    def spare_disk(self, *, on: bool) -> None:
        """Keep less, for a disk that is short, or as much as configured; the next write sees to it."""
        config = self._config
        days = {"retention_days": min(config.retention_days, SPARED_DAYS)}
        days["minute_days"] = min(config.minute_days, SPARED_MINUTE_DAYS)
        self._keeps = msgspec.structs.replace(config, **days) if on else config

    def health(self) -> Health:
        if self._trouble:
            return Health(HealthState.DEGRADED, f"{self._trouble} ({self._pending.dropped} ticks dropped)")
        if self._written_ns is None:
            return Health(HealthState.STARTING, "nothing written yet")
        age_s = (self._clock.monotonic_ns() - self._written_ns) / 1e9
        if age_s > LATE_FLUSHES * self._config.flush_s:
            return Health(HealthState.UNHEALTHY, f"nothing was written for {age_s:.0f} s")
        return Health(HealthState.HEALTHY, f"written {age_s:.0f} s ago")

    async def series(self) -> Sequence[Line]:
        """Return every series of every node, those of dead processes included.

        Raises:
            HistoryUnavailable: ask again. NotAHistory: the sentence says what to do with the file.
        """
        return await asyncio.to_thread(lambda: self._opened_reader().series())

    async def range(self, series: str, start_ns: int, end_ns: int, points: int) -> Range:
        """Return `name` (over all nodes) or `name@node` in [start, end), in about `points` buckets.

        Raises:
            HistoryUnavailable: ask again. NotAHistory: the sentence says what to do with the file.
        """
        return await asyncio.to_thread(lambda: self._opened_reader().range(series, start_ns, end_ns, points))

    async def samples(
        self, series: str, start_ns: int, end_ns: int, *, sparse_before_ns: int = 0
    ) -> tuple[list[int], list[float]]:
        """Return times and values of every sample in [start, end) that is still kept by the second, nan left out.

        Args:
            sparse_before_ns: of a counter's samples before that, one a minute is enough.

        Raises:
            HistoryUnavailable: ask again. NotAHistory: the sentence says what to do with the file.
        """

        def read() -> tuple[list[int], list[float]]:
            from trading_orchestrator.perpetual_operations.monitoring.history.sparse import sparse

            times_ns, values = sparse(*self._opened_reader().samples(series, start_ns, end_ns), sparse_before_ns)
            return times_ns.tolist(), values.tolist()

        return await asyncio.to_thread(read)

    async def run(self) -> None:
        """Write every `flush_s` until cancelled, and what is left then."""
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="metrics-history")
        writing = _Writing(self._path, self._node, self._config)
        self._written_ns = None  # a life before this one may have ended an hour ago
        try:
            while True:
                await self._clock.sleep(self._config.flush_s)
                taken = self._pending.take()
                try:
                    house_ns = self._clock.wall_ns() if self._keeps_house else None
                    await loop.run_in_executor(thread, writing.write, taken, house_ns, self._keeps)
                    self._all_is_well()
                except OrchestratorError as error:
                    self._pending.put_back(taken)
                    self._is_in_trouble(error)
        finally:
            last = loop.run_in_executor(thread, writing.end, self._pending.take())
            thread.shutdown(wait=False)  # the last write goes on, but a disk that hangs must not hold up the loop
            await asyncio.wait((last,), timeout=LAST_WRITE_S)
            if last.done() and (failed := last.exception()) is not None:
                log.warning("the last metrics were not written: %s", failed)
            if self._reader is not None:
                self._reader.close()

    def _all_is_well(self) -> None:
        if self._trouble:
            log.info("metrics history is written again")
        self._trouble = ""
        self._written_ns = self._clock.monotonic_ns()

    def _is_in_trouble(self, error: OrchestratorError) -> None:
        if not self._trouble:
            log.warning("%s", error.message)
        self._trouble = error.message

    def _opened_reader(self) -> HistoryReader:
        from trading_orchestrator.perpetual_operations.monitoring.history.reader import HistoryReader

        with self._opening:
            if self._reader is None:
                self._reader = HistoryReader(self._path)
            return self._reader


class _Writing:
    """What the writing thread does; the writer is made there when there is something to write."""

    def __init__(self, path: Path, node: str, config: HistoryConfig) -> None:
        self._path = path
        self._node = node
        self._config = config
        self._writer: HistoryWriter | None = None

    def write(self, taken: Sequence[Ticks], house_ns: int | None, keeps: HistoryConfig) -> None:
        if self._writer is None:
            from trading_orchestrator.perpetual_operations.monitoring.history.writer import HistoryWriter

            self._writer = HistoryWriter(self._path, self._node, self._config)
        if taken:
            self._writer.write(taken)
        if house_ns is not None:
            self._writer.keep_house(house_ns, keeps)

    def end(self, taken: Sequence[Ticks]) -> None:
        if self._writer is None and not self._path.parent.is_dir():
            return
        if taken:
            self.write_last(taken)
        if self._writer is not None:
            self._writer.close()

    def write_last(self, taken: Sequence[Ticks]) -> None:
        """Without house-keeping: whoever starts next does that."""
        from trading_orchestrator.perpetual_operations.monitoring.history.writer import HistoryWriter

        self._writer = self._writer or HistoryWriter(self._path, self._node, self._config)
        self._writer.write(taken)
