"""The lower envelope of a signal: its lowest value in each block, so that what is freed again does not count."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence


class Floors:
    """Blocks of one length; the newest `blocks` that are over. Sawteeth shorter than a block vanish."""

    def __init__(self, block_s: float, blocks: int) -> None:
        self.block_s = block_s
        self._floors: deque[float] = deque(maxlen=blocks)
        self._block = -1
        self._lowest = 0.0

    @property
    def values(self) -> Sequence[float]:
        """Return the floors, oldest first."""
        return tuple(self._floors)

    @property
    def is_full(self) -> bool:
        """Return whether as many blocks are over as are kept."""
        return len(self._floors) == self._floors.maxlen

    def add(self, at_s: float, value: float) -> bool:
        """Take one value; return whether a block ended with it. A gap begins anew: growth across it is unknown."""
        block = int(at_s // self.block_s)
        if block == self._block:
            self._lowest = min(self._lowest, value)
            return False
        ended = self._block >= 0
        if ended and block > self._block + 2:
            self._floors.clear()
        elif ended:
            self._floors.append(self._lowest)
        self._block, self._lowest = block, value
        return ended

    def clear(self) -> None:
        """Forget everything: the process is not what it was."""
        self._floors.clear()
        self._block = -1
