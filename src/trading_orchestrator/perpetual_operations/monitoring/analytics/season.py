"""What is usual at this time of day: lowest and highest of the last seven days, by quarter of an hour."""

from __future__ import annotations

from collections import deque

DAY_S = 86_400.0
PHASES = 96
DAYS, DAYS_NEEDED = 7, 3


class Season:
    """Means of each phase of the last days. A week of days holds a weekend, so that none needs a calendar."""

    __slots__ = ("_count", "_days", "_phase", "_sum")

    def __init__(self) -> None:
        self._days: dict[int, deque[float]] = {}
        self._phase = -1
        self._sum = 0.0
        self._count = 0

    def usual(self, at_s: float, value: float) -> tuple[float, float] | None:
        """Remember the value; return the bounds of this phase and its neighbours, None before there are three days."""
        phase = int(at_s % DAY_S / DAY_S * PHASES)
        if phase != self._phase:
            if self._count:
                self._days.setdefault(self._phase, deque(maxlen=DAYS)).append(self._sum / self._count)
            self._phase, self._sum, self._count = phase, 0.0, 0
        self._sum += value
        self._count += 1
        if len(self._days.get(phase, ())) < DAYS_NEEDED:
            return None
        near = [each for step in (-1, 0, 1) for each in self._days.get((phase + step) % PHASES, ())]
        return min(near), max(near)
