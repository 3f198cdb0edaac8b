"""A budget of messages: so many a minute, a few of them at once."""

from __future__ import annotations

import math

from trading_orchestrator.kernel.clock import Clock

ROUNDING = 1e-9
SHORTEST_WAIT_S = 0.001  # a sleep that rounds to nothing would turn in a circle


class Budget:
    """A token bucket that may go into debt: what must not wait is spent all the same, and the others wait for it.

    Args:
        per_min: 0 is no limit.
        burst: how many may go at once after a quiet time.
    """

    def __init__(self, per_min: float, burst: int, clock: Clock) -> None:
        self._per_s = per_min / 60
        self._burst = float(burst)
        self._clock = clock
        self._left = self._burst
        self._at_ns = clock.monotonic_ns()

    @property
    def left(self) -> int | None:
        """Return how many may go now, or None without limit."""
        if not self._per_s:
            return None
        self._fill()
        return max(0, math.floor(self._left + ROUNDING))

    def wait_s(self) -> float:
        """Return how long until one more may go; 0 when it may go now."""
        if not self._per_s:
            return 0.0
        self._fill()
        lacking = 1 - self._left
        return 0.0 if lacking < ROUNDING else max(SHORTEST_WAIT_S, lacking / self._per_s)

    def spend(self) -> None:
        """Count one that goes now."""
        self._fill()
        self._left -= 1

    def _fill(self) -> None:
        now_ns = self._clock.monotonic_ns()
        self._left = min(self._burst, self._left + (now_ns - self._at_ns) / 1e9 * self._per_s)
        self._at_ns = now_ns
