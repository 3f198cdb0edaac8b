"""The past of what the rules look at, from the metrics history: a start fills in what the process before had seen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from trading_orchestrator.perpetual_operations.alerts.matchers import parse_matchers
from trading_orchestrator.perpetual_operations.alerts.rules.rule import Measure
from trading_orchestrator.perpetual_operations.alerts.rules.samples import DENSE_NS
from trading_orchestrator.perpetual_operations.alerts.rules.window import COUNTERS
from trading_orchestrator.perpetual_operations.monitoring.history.answers import Line
from trading_orchestrator.perpetual_operations.monitoring.history.of_sample import NOT_KEPT

_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="([^"]*)"')
Names = Sequence[tuple[str, str, str]]


class SeriesPast(msgspec.Struct, frozen=True, kw_only=True):
    """What one series was; times rise."""

    metric: str
    labels: dict[str, str]
    at_ns: list[int]
    values: list[float]


class History(Protocol):
    """The metrics history, as far as it is asked here."""

    async def series(self) -> Sequence[Line]: ...

    async def samples(
        self, series: str, start_ns: int, end_ns: int, *, sparse_before_ns: int = 0
    ) -> tuple[list[int], list[float]]: ...


class Past:
    """Reads the past of metrics under the names that rules know.

    Args:
        host, node: rows of sample field, metric name and description, as `monitoring/metrics.py` has them. What is
            measured of the host stands in the history once for each node, and is one series here.
    """

    def __init__(self, history: History, *, host: Names, node: Names) -> None:
        self._history = history
        self._host = {name: field for field, name, _ in host}
        self._node = {name: field for field, name, _ in node}

    async def of(self, windows: Mapping[str, Sequence[Measure]], now_ns: int) -> list[SeriesPast]:
        """Return what is known of each metric, as far back as its measures look.

        Raises:
            HistoryUnavailable, NotAHistory: nothing can be filled in.
        """
        lines = await self._history.series()
        found = []
        for metric, measures in windows.items():
            start_ns = now_ns - round(max(one.window or 0.0 for one in measures) * 1e9)
            sparse_ns = now_ns - DENSE_NS if all(one.function in COUNTERS for one in measures) else 0
            for series, labels in self._series_of(metric, measures, lines, start_ns):
                at_ns, values = await self._history.samples(series, start_ns, now_ns, sparse_before_ns=sparse_ns)
                if at_ns:
                    found.append(SeriesPast(metric=metric, labels=labels, at_ns=at_ns, values=values))
        return found

    def _series_of(
        self, metric: str, measures: Sequence[Measure], lines: Iterable[Line], start_ns: int
    ) -> Iterator[tuple[str, dict[str, str]]]:
        if metric in self._host:
            yield self._host[metric], {}
            return
        kept_as = self._node.get(metric, metric)
        for line in lines:
            name, _, labels = line.name.partition("{")
            if name != kept_as or line.last_ns < start_ns:
                continue
            if metric.endswith("_total") and not _may_be_summed(measures):
                continue
            yield line.series, {**dict(_LABEL.findall(labels)), "node": line.node}


def known_from(past: Iterable[SeriesPast]) -> dict[str, int]:
    """Return from when on each metric is known."""
    found: dict[str, int] = {}
    for one in past:
        found[one.metric] = min(one.at_ns[0], found.get(one.metric, one.at_ns[0]))
    return found


def _may_be_summed(measures: Sequence[Measure]) -> bool:
    """The history has counters summed over labels of many values: of use to whoever does not ask for these."""
    asked = {matcher.name for one in measures for matcher in parse_matchers(one.where)}
    asked |= {label for one in measures for label in one.by}
    return asked.isdisjoint(NOT_KEPT) and all(one.across == "sum" for one in measures)
