"""Where every part reports what it counts and times: plain numbers, so that the order path pays nanoseconds.

prometheus-client costs 60 ms and 10 MB to import, which a trading node does not have to spare: only the process
that answers /metrics loads it, and translates what stands here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

import msgspec

from trading_orchestrator.errors import Refused

LATENCY_S = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of buckets for latencies: fine where the order path lives, up to the longest deadline."""
Labels = tuple[tuple[str, str], ...]


class MetricTaken(Refused):
    """A metric of this name is of another kind or has other labels. Facts: name."""

    code = "metrics.taken"


class Kind(Enum):
    """What a metric is, in Prometheus's words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Counter:
    """Only grows. A name for it ends in `_total`."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def add(self, by: float = 1.0) -> None:
        """Count."""
        self.value += by


class Gauge:
    """A number that goes up and down."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def set(self, value: float) -> None:
        """Replace the number."""
        self.value = value


class Histogram:
    """How often values fell into each bucket; `counts` has one more than `bounds`, for what is above them all."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value; 0.3 µs."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Reading(msgspec.Struct, frozen=True, array_like=True):
    """One metric with one set of labels. A histogram has `counts` (not cumulative), and their sum as `value`."""

    labels: Labels
    value: float
    counts: tuple[int, ...] = ()


class Family(msgspec.Struct, frozen=True, array_like=True):
    """All readings of one name."""

    name: str
    kind: Kind
    described: str
    readings: tuple[Reading, ...]
    bounds: tuple[float, ...] = ()


@dataclass
class _Family:
    name: str
    kind: Kind
    described: str
    label_names: tuple[str, ...]
    bounds: tuple[float, ...] = ()
    held: dict[Labels, Counter | Gauge | Histogram | Callable[[], float]] = field(default_factory=dict)


class Meter:
    """The metrics of one process. Asking twice for a name and labels returns the same one.

    Concurrency: a metric is changed by one thread at a time; `read` from any thread sees each number as it was a
    moment ago. Labels must be few: a desk, a lease, a route, never an order.
    """

    def __init__(self) -> None:
        self._families: dict[str, _Family] = {}

    def counter(self, name: str, described: str, **labels: str) -> Counter:
        """Return the counter.

        Raises:
            MetricTaken: the name stands for something else.
        """
        held = self._held(name, Kind.COUNTER, described, labels)
        return held.setdefault(_sorted(labels), Counter())  # type: ignore[return-value]  # a family is of one kind

    def gauge(self, name: str, described: str, **labels: str) -> Gauge:
        """Return the gauge; raises as `counter` does."""
        held = self._held(name, Kind.GAUGE, described, labels)
        return held.setdefault(_sorted(labels), Gauge())  # type: ignore[return-value]

    def watch(self, name: str, described: str, read: Callable[[], float], **labels: str) -> None:
        """Ask `read` at each reading instead of being told; the newest `read` counts. It may be asked on any thread."""
        self._held(name, Kind.GAUGE, described, labels)[_sorted(labels)] = read

    def forget(self, name: str, **labels: str) -> None:
        """Show these labels no more: what they stood for is gone, or somebody else's now."""
        found = self._families.get(name)
        if found is not None:
            found.held.pop(_sorted(labels), None)

    def histogram(self, name: str, described: str, *, bounds: Sequence[float] = LATENCY_S, **labels: str) -> Histogram:
        """Return the histogram; raises as `counter` does."""
        held = self._held(name, Kind.HISTOGRAM, described, labels, tuple(bounds))
        return held.setdefault(_sorted(labels), Histogram(bounds))  # type: ignore[return-value]

    def read(self) -> Sequence[Family]:
        """Return every metric as it is now; a `watch` that fails is left out."""
        return [
            Family(each.name, each.kind, each.described, tuple(_readings(each)), each.bounds)
            for each in list(self._families.values())
        ]

    def _held(
        self, name: str, kind: Kind, described: str, labels: Mapping[str, str], bounds: tuple[float, ...] = ()
    ) -> dict[Labels, Counter | Gauge | Histogram | Callable[[], float]]:
        found = self._families.get(name)
        if found is None:
            found = self._families[name] = _Family(name, kind, described, tuple(sorted(labels)), bounds)
        if (found.kind, found.label_names, found.bounds) != (kind, tuple(sorted(labels)), bounds):
            raise MetricTaken(
                f"metric {name}: expected a {found.kind.value} with labels {found.label_names}, "
                f"was a {kind.value} with {tuple(sorted(labels))}",
                name=name,
            )
        return found.held


def _sorted(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


def _readings(family: _Family) -> Sequence[Reading]:
    read = (_reading(labels, held) for labels, held in list(family.held.items()))
    return [reading for reading in read if reading is not None]


def _reading(labels: Labels, held: Counter | Gauge | Histogram | Callable[[], float]) -> Reading | None:
    if isinstance(held, Histogram):
        return Reading(labels, held.total, tuple(held.counts))
    if isinstance(held, Counter | Gauge):
        return Reading(labels, held.value)
    try:
        return Reading(labels, float(held()))
    except Exception:  # noqa: BLE001 - foreign code: one broken reading must not hide all others
        return None
