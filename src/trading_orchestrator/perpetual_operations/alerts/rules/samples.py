"""The samples that rules look at: a short memory of each series, with end markers."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from trading_orchestrator.perpetual_operations.alerts.labels import Labels
from trading_orchestrator.perpetual_operations.alerts.matchers import Matcher, all_match


@dataclass
class Series:
    """One series, oldest sample first. A value of None marks its end."""

    labels: dict[str, str]
    at_ns: list[int] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)

    def newest(self, now_ns: int, lookback_ns: int | None) -> tuple[int, float] | None:
        """Return the newest sample up to now and not older than the look-back, unless the series has ended."""
        place = bisect_right(self.at_ns, now_ns) - 1
        if place < 0 or (lookback_ns is not None and self.at_ns[place] < now_ns - lookback_ns):
            return None
        value = self.values[place]
        return None if value is None else (self.at_ns[place], value)

    def within(self, now_ns: int, window_ns: int) -> list[tuple[int, float]]:
        """Return the samples of the window, both ends included, end markers left out."""
        first, last = bisect_left(self.at_ns, now_ns - window_ns), bisect_right(self.at_ns, now_ns)
        found = zip(self.at_ns[first:last], self.values[first:last], strict=True)
        return [(at_ns, value) for at_ns, value in found if value is not None]


class Samples:
    """Every series by metric and labels. Nothing older than `keep_ns` stays, but for the newest sample."""

    def __init__(self, *, keep_ns: int) -> None:
        self._keep_ns = keep_ns
        self._metrics: dict[str, dict[tuple[tuple[str, str], ...], Series]] = {}

    def add(self, metric: str, labels: Labels, at_ns: int, value: float | None) -> None:
        """Take in one sample; None ends the series. A sample not newer than the newest is passed over."""
        series = self._metrics.setdefault(metric, {}).setdefault(tuple(sorted(labels.items())), Series(dict(labels)))
        if series.at_ns and at_ns <= series.at_ns[-1]:
            return
        series.at_ns.append(at_ns)
        series.values.append(value)
        old = bisect_left(series.at_ns, at_ns - self._keep_ns)
        if old > 64:  # in lots: taking one from the front costs as much as taking many
            del series.at_ns[:old], series.values[:old]

    def of(self, metric: str, where: tuple[Matcher, ...]) -> Iterator[Series]:
        """Yield the series of a metric that the matchers take."""
        for series in self._metrics.get(metric, {}).values():
            if all_match(where, series.labels):
                yield series
