"""How long collections of garbage stop this process, and how many there were."""

from __future__ import annotations

import gc
from collections.abc import Mapping

from trading_orchestrator.kernel.clock import Clock


class GcWatch:
    """Measures while it is `watching`; any thread may trigger a collection, and the interpreter lock orders them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_ns: int | None = None
        self._longest_s = 0.0
        self.collections = 0

    def start(self) -> None:
        """Be told of collections from now on."""
        if self._told not in gc.callbacks:
            gc.callbacks.append(self._told)

    def stop(self) -> None:
        """Be told no more."""
        if self._told in gc.callbacks:
            gc.callbacks.remove(self._told)

    def take_longest_s(self) -> float:
        """Return the longest collection since this was last called."""
        longest_s, self._longest_s = self._longest_s, 0.0
        return longest_s

    def _told(self, phase: str, info: Mapping[str, int]) -> None:
        now_ns = self._clock.monotonic_ns()
        if phase == "start":
            self._began_ns = now_ns
        elif self._began_ns is not None:
            self._longest_s = max(self._longest_s, (now_ns - self._began_ns) / 1e9)
            self._began_ns = None
            self.collections += 1
