"""Progress of one strategy: events that came for it, and timer ticks that are due, against what it has handled."""

from __future__ import annotations

from dataclasses import dataclass

STUCK_S = 5.0
"""A callback that keeps the loop ends its node after 1.5 s: who waits longer while the loop turns waits for nothing."""


@dataclass
class Progress:
    """Times are on the monotonic clock. A quiet market is no lack of progress: only what came can be left undone."""

    handled_total: int = 0
    _came_ns: int | None = None
    _tick_due_ns: int | None = None

    def came(self, now_ns: int) -> None:
        """An event is there for the strategy."""
        if self._came_ns is None:
            self._came_ns = now_ns

    def handled(self) -> None:
        """A callback returned, or refused; whichever event it was, the strategy goes on."""
        self.handled_total += 1
        self._came_ns = None

    def expect_tick(self, now_ns: int, every_s: float) -> None:
        """The next tick of its timer is due then."""
        self._tick_due_ns = now_ns + int(every_s * 1e9)

    def waits_s(self, now_ns: int) -> float:
        """Return for how long the oldest thing that is due has waited, 0 when nothing does."""
        due_ns = [ns for ns in (self._came_ns, self._tick_due_ns) if ns is not None]
        return max(0.0, (now_ns - min(due_ns)) / 1e9) if due_ns else 0.0
