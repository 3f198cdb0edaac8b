"""A minute of one series: its mean, its highest where that matters, or how much a counter grew a second."""

from __future__ import annotations

from math import isfinite

from trading_orchestrator.perpetual_operations.monitoring.analytics.watched_series import Watched, takes_worst


class Minute:
    """Collects the values of one minute after another."""

    __slots__ = ("_count", "_highest", "_last", "_sum")

    def __init__(self) -> None:
        self._sum = 0.0
        self._count = 0
        self._highest = 0.0
        self._last: tuple[float, float] | None = None

    def add(self, watched: Watched, at_s: float) -> None:
        """Take one value; a counter that fell began anew in another process, and what it counted before is done."""
        value = watched.value
        if not isfinite(value):
            return
        if watched.is_counter:
            last, self._last = self._last, (at_s, value)
            if last is None or at_s <= last[0]:
                return
            value = (value - last[1] if value >= last[1] else value) / (at_s - last[0])
        self._highest = value if self._count == 0 else max(self._highest, value)
        self._sum += value
        self._count += 1

    def take(self, key: str) -> float | None:
        """Return the minute's value and begin the next; None when nothing was measured."""
        if self._count == 0:
            return None
        value = self._highest if takes_worst(key) else self._sum / self._count
        self._sum, self._count, self._highest = 0.0, 0, 0.0
        return value
