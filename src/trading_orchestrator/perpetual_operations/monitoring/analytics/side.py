"""One way to look at a series: the peaks of past blocks, and how far a value stands above them."""

from __future__ import annotations

from collections import deque


class Side:
    """Peaks of the last blocks. The `rank` highest of them may be outliers: they do not raise the bar."""

    __slots__ = ("_peak", "_peaks", "_rank", "_spread", "_top", "floor")

    def __init__(self, blocks: int, rank: int, floor: float | None) -> None:
        self.floor = floor
        self._rank = rank
        self._peak: float | None = None
        self._top = 0.0
        self._spread = 0.0
        self._peaks: deque[float] = deque(maxlen=blocks)

    @property
    def blocks(self) -> int:
        """Return how many blocks it has looked at."""
        return len(self._peaks)

    def look(self, value: float, floor: float) -> float:
        """Return how many spreads the value stands above the usual peaks, and remember it.

        Args:
            floor: the least spread that matters, unless the side has one of its own.
        """
        if self._peak is None or value > self._peak:
            self._peak = value
        return (value - self._top) / (self._spread + (floor if self.floor is None else self.floor))

    def close_block(self) -> None:
        """Count the block's peak among the others."""
        if self._peak is None:
            return
        self._peaks.append(self._peak)
        self._peak = None
        ranked = sorted(self._peaks)
        count = len(ranked)
        self._top = ranked[count - 1 - (self._rank if count > 4 * self._rank else 0)]
        self._spread = self._top - ranked[count // 2]
