"""How late the event loop comes: a short sleep is taken again and again, and its lateness kept."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from trading_orchestrator.kernel.clock import Clock, Timer
from trading_orchestrator.kernel.component import Health, HealthState


class LoopLag:
    """A component that measures its own event loop. Two readers of one peak do not disturb each other."""

    name = "event_loop"
    depends_on: Sequence[str] = ()

    def __init__(self, clock: Clock, *, every_s: float, remember_s: float = 10.0) -> None:
        self._clock = clock
        self._every_s = every_s
        self._lags: deque[float] = deque(maxlen=max(1, int(remember_s / every_s)))
        self._peak_s = 0.0
        self._asleep_since_ns: int | None = None
        self._timer: Timer | None = None

    def health(self) -> Health:
        if self._asleep_since_ns is None:
            return Health(HealthState.STARTING, "not measured yet")
        return Health(HealthState.HEALTHY, f"{self.worst_s() * 1000:.1f} ms at worst lately")

    def worst_s(self) -> float:
        """Return the worst lateness of the last ten seconds, a block that still lasts included."""
        return max((*self._lags, self._overdue_s()), default=0.0)

    def overdue_or_last_s(self) -> float:
        """Return the lateness of the last look, or of the one that is overdue."""
        return max(self._lags[-1] if self._lags else 0.0, self._overdue_s())

    def take_peak_s(self) -> float:
        """Return the worst lateness since this was last called."""
        peak_s, self._peak_s = max(self._peak_s, self._overdue_s()), 0.0
        return peak_s

    async def run(self) -> None:
        """Measure until cancelled. A timer of the loop, without a task to wake: half the turns for the same answer."""
        self._arm()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _arm(self) -> None:
        self._asleep_since_ns = self._clock.monotonic_ns()
        self._timer = self._clock.call_later(self._every_s, self._came)

    def _came(self) -> None:
        lag_s = self._overdue_s()
        self._lags.append(lag_s)
        self._peak_s = max(self._peak_s, lag_s)
        self._arm()

    def _overdue_s(self) -> float:
        if self._asleep_since_ns is None:
            return 0.0
        return max(0.0, (self._clock.monotonic_ns() - self._asleep_since_ns) / 1e9 - self._every_s)
