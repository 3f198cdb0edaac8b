"""What lanes tell of themselves, in the words of a pool: in use, waiting, and how long queries waited for a lane."""

from __future__ import annotations

import threading

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.storage.connection_pool import PoolStatus
from trading_orchestrator.storage.wait_times import WaitTimes


class LaneFigures:
    """Counts queries. Any thread: one lock, held for less than a microsecond."""

    def __init__(self, name: str, size: int, clock: Clock) -> None:
        self.name = name
        self._size = size
        self._clock = clock
        self._lock = threading.Lock()
        self._waits = WaitTimes(clock)
        self._asked = self._began = self._ended = 0
        self._opened = self._closed = 0

    def asked(self) -> int:
        """A query came; return when, for `began`."""
        with self._lock:
            self._asked += 1
        return self._clock.monotonic_ns()

    def began(self, asked_ns: int) -> None:
        """It has a lane now."""
        waited_s = (self._clock.monotonic_ns() - asked_ns) / 1e9
        with self._lock:
            self._began += 1
            self._waits.add(waited_s, self._began - self._ended)

    def ended(self) -> None:
        with self._lock:
            self._ended += 1

    def given_up(self) -> None:
        """Whoever asked went away before a lane was free."""
        with self._lock:
            self._asked -= 1

    def opened(self) -> None:
        """A connection was opened."""
        with self._lock:
            self._opened += 1

    def closed(self) -> None:
        """A connection was closed."""
        with self._lock:
            self._closed += 1

    def status(self) -> PoolStatus:
        """Return the lanes as a pool."""
        with self._lock:
            in_use = self._began - self._ended
            p50_s, p99_s = self._waits.percentiles()
            return PoolStatus(
                name=self.name,
                size=self._size,
                in_use=in_use,
                idle=max(0, self._opened - self._closed - in_use),
                waiting=self._asked - self._began,
                opened_total=self._opened,
                closed_total=self._closed,
                used_total=self._began,
                refused_total=0,
                wait_p50_ms=round(p50_s * 1e3, 3),
                wait_p99_ms=round(p99_s * 1e3, 3),
                circuit="closed",
            )
