"""Recorded quotes or trades as a path: each row a tick at its own time."""

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal

from trading_orchestrator.practice_venue.prices.path import Tick

LONGEST_GAP_S = 60.0


class RecordedPath:
    """Rows at their recorded distances, with no gap longer than a minute."""

    default_speed = 1.0

    def __init__(
        self, times_s: Sequence[float], ticks: Sequence[Tick], *, tick_size: Decimal, step_size: Decimal
    ) -> None:
        self._times_s = _without_long_gaps(times_s)
        self._ticks = ticks
        self.tick_size = tick_size
        self.step_size = step_size

    def span_s(self) -> float:
        return self._times_s[-1] + 1.0

    def index_at(self, market_s: float) -> int:
        loops, within_s = divmod(market_s, self.span_s())
        return int(loops) * len(self._ticks) + bisect_right(self._times_s, within_s) - 1

    def time_of(self, index: int) -> float:
        loops, place = divmod(index, len(self._ticks))
        return loops * self.span_s() + self._times_s[place]

    def tick(self, index: int) -> Tick:
        return self._ticks[index % len(self._ticks)]


def _without_long_gaps(times_s: Sequence[float]) -> list[float]:
    kept = [0.0]
    for before, after in zip(times_s, times_s[1:], strict=False):
        kept.append(kept[-1] + min(max(after - before, 0.0), LONGEST_GAP_S))
    return kept
