"""The samples that rules look at: a short memory of each series, with end markers."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from trading_orchestrator.perpetual_operations.alerts.labels import Labels
from trading_orchestrator.perpetual_operations.alerts.matchers import Matcher, all_match

DENSE_NS = 3_600_000_000_000
THINNED_NS = 60_000_000_000
FORGET_EVERY = 10_000
AT_ONCE = 64  # taking one from the front of a list costs as much as taking many


@dataclass
class Series:
    """One series, oldest sample first. A value of None marks its end; the first `thinned` samples are sparse."""

    labels: dict[str, str]
    at_ns: list[int] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)
    thinned: int = 0

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

    def thin(self, before_ns: int) -> None:
        """Keep one sample a minute of what is older than that; a fall of the value keeps both its sides."""
        end = bisect_left(self.at_ns, before_ns)
        if end - self.thinned <= AT_ONCE:
            return
        kept: list[int] = []
        last_ns = self.at_ns[self.thinned - 1] if self.thinned else -THINNED_NS
        for place in range(self.thinned, end):
            around = self.values[max(0, place - 1) : place + 2]
            is_edge = any(_falls(before, after) for before, after in pairwise(around))
            if is_edge or self.at_ns[place] - last_ns >= THINNED_NS:
                kept.append(place)
                last_ns = self.at_ns[place]
        first = self.thinned
        self.at_ns[first:end] = [self.at_ns[place] for place in kept]
        self.values[first:end] = [self.values[place] for place in kept]
        self.thinned = first + len(kept)


def _falls(before: float | None, after: float | None) -> bool:
    """An end marker is an edge too."""
    return before is None or after is None or after < before


class Samples:
    """Every series by metric and labels. Nothing older than `keep_ns` stays, but for the newest sample.

    keep_by_metric: longer or shorter memories of single metrics.
    thinned: metrics of which, beyond the last hour, one sample a minute is enough. A counter's increase over a window
        of two hours is off by at most 1 % by that, and three days are 8,000 samples instead of 260,000.
    """

    def __init__(
        self,
        *,
        keep_ns: int,
        keep_by_metric: Mapping[str, int] | None = None,
        thinned: frozenset[str] = frozenset(),
    ) -> None:
        self._keep_ns = keep_ns
        self._keep_by_metric = keep_by_metric or {}
        self._thinned = thinned
        self._metrics: dict[str, dict[tuple[tuple[str, str], ...], Series]] = {}
        self._added = 0

    def add(self, metric: str, labels: Labels, at_ns: int, value: float | None) -> None:
        """Take in one sample; None ends the series. A sample not newer than the newest is passed over."""
        series = self._metrics.setdefault(metric, {}).setdefault(tuple(sorted(labels.items())), Series(dict(labels)))
        if series.at_ns and at_ns <= series.at_ns[-1]:
            return
        series.at_ns.append(at_ns)
        series.values.append(value)
        old = bisect_left(series.at_ns, at_ns - self._keep_by_metric.get(metric, self._keep_ns))
        if old > AT_ONCE:
            del series.at_ns[:old], series.values[:old]
            series.thinned = max(0, series.thinned - old)
        if metric in self._thinned:
            series.thin(at_ns - DENSE_NS)
        self._added += 1
        if self._added % FORGET_EVERY == 0:
            self._forget_ended(at_ns)

    def fill(self, metric: str, labels: Labels, at_ns: list[int], values: list[float]) -> None:
        """Take in the whole past of a series that is not known yet; it has ended until a new sample comes."""
        by_labels = self._metrics.setdefault(metric, {})
        if at_ns:
            past = Series(dict(labels), [*at_ns, at_ns[-1] + 1], [*values, None])
            by_labels.setdefault(tuple(sorted(labels.items())), past)

    def adopt(self, other: Samples, metrics: Iterable[str]) -> None:
        """Take over what another memory of this process knows of these metrics."""
        for metric in metrics:
            if metric in other._metrics:
                self._metrics[metric] = other._metrics[metric]

    def _forget_ended(self, now_ns: int) -> None:
        """A series that has ended, and of which no window holds anything any more, is as if it had never been."""
        for metric, by_labels in self._metrics.items():
            before_ns = now_ns - self._keep_by_metric.get(metric, self._keep_ns)
            for key in [key for key, one in by_labels.items() if one.values[-1] is None and one.at_ns[-1] < before_ns]:
                del by_labels[key]

    def of(self, metric: str, where: tuple[Matcher, ...]) -> Iterator[Series]:
        """Yield the series of a metric that the matchers take."""
        for series in self._metrics.get(metric, {}).values():
            if all_match(where, series.labels):
                yield series
