"""How long callers waited, over the last minutes: a histogram that forgets."""

from __future__ import annotations

import bisect
from collections import deque

from trading_orchestrator.kernel.clock import Clock

BOUNDS_S = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
SLICE_S = 30.0
SLICES = 10


class Slice:
    """Half a minute of waits."""

    def __init__(self, at_ns: int) -> None:
        self.at_ns = at_ns
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.most_in_use = 0


class WaitTimes:
    """The waits of the last five minutes, in buckets, and of all time. Memory is bounded whatever the rate."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._slices: deque[Slice] = deque()
        self._recent = [0] * (len(BOUNDS_S) + 1)
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, wait_s: float, in_use: int) -> None:
        """Count one wait, and how many were in use then."""
        now_ns = self._clock.monotonic_ns()
        if not self._slices or now_ns - self._slices[-1].at_ns > SLICE_S * 1e9:
            self._forget(now_ns)
            self._slices.append(Slice(now_ns))
        newest, bucket = self._slices[-1], bisect.bisect_left(BOUNDS_S, wait_s)
        newest.counts[bucket] += 1
        newest.most_in_use = max(newest.most_in_use, in_use)
        self._recent[bucket] += 1
        self._counts[bucket] += 1
        self.sum_s += wait_s

    @property
    def counts(self) -> tuple[int, ...]:
        """Return how many waits ever fell into each bucket: up to each of `BOUNDS_S`, and above them all."""
        return tuple(self._counts)

    @property
    def count(self) -> int:
        self._forget(self._clock.monotonic_ns())
        return sum(self._recent)

    @property
    def most_in_use(self) -> int:
        self._forget(self._clock.monotonic_ns())
        return max((one.most_in_use for one in self._slices), default=0)

    def percentiles(self) -> tuple[float, float]:
        """Return p50 and p99 in seconds, as the upper bounds of their buckets; 0 when nothing was measured."""
        total = self.count
        return (_rank(self._recent, 0.50 * total), _rank(self._recent, 0.99 * total)) if total else (0.0, 0.0)

    def _forget(self, now_ns: int) -> None:
        while self._slices and now_ns - self._slices[0].at_ns > SLICES * SLICE_S * 1e9:
            gone = self._slices.popleft().counts
            self._recent = [kept - less for kept, less in zip(self._recent, gone, strict=True)]


def _rank(counts: list[int], wanted: float) -> float:
    seen = 0
    for bound_s, count in zip((*BOUNDS_S, BOUNDS_S[-1]), counts, strict=True):
        seen += count
        if seen >= wanted and count:
            return 0.0 if bound_s == BOUNDS_S[0] else bound_s
    return BOUNDS_S[-1]
