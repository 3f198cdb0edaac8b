"""What was measured and not yet written: plain lists, so that recording a tick costs microseconds on the loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Ticks:
    """Ticks of the same series: a row per tick, in the order of `names`."""

    names: tuple[str, ...]
    times_ns: list[int] = field(default_factory=list)
    rows: list[tuple[float, ...]] = field(default_factory=list)


class Pending:
    """Ticks by set of series, bounded: while the file cannot be written the oldest are dropped. One event loop."""

    def __init__(self, most_values: int) -> None:
        self._most_values = most_values
        self._held_values = 0
        self._groups: dict[tuple[str, ...], Ticks] = {}
        self.dropped = 0

    def add(self, at_ns: int, values: Mapping[str, float]) -> None:
        """Keep one tick."""
        names = tuple(values)
        if not names:
            return
        ticks = self._groups.get(names)
        if ticks is None:
            ticks = self._groups[names] = Ticks(names)
        ticks.times_ns.append(at_ns)
        ticks.rows.append(tuple(values.values()))
        self._held_values += len(names)
        self._bound()

    def take(self) -> Sequence[Ticks]:
        """Return everything and be empty."""
        taken = list(self._groups.values())
        self._groups = {}
        self._held_values = 0
        return taken

    def put_back(self, taken: Sequence[Ticks]) -> None:
        """Keep what could not be written, before what came since."""
        newer = self.take()
        for ticks in (*taken, *newer):
            for at_ns, row in zip(ticks.times_ns, ticks.rows, strict=True):
                self.add(at_ns, dict(zip(ticks.names, row, strict=True)))

    def _bound(self) -> None:
        while self._held_values > self._most_values:
            oldest = min(self._groups.values(), key=lambda ticks: ticks.times_ns[0])
            del oldest.times_ns[0], oldest.rows[0]
            self._held_values -= len(oldest.names)
            self.dropped += 1
            if not oldest.times_ns:
                del self._groups[oldest.names]
