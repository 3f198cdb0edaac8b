"""A sample and the metrics of its process as one tick of the history: a series per number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import nan

import msgspec

from trading_orchestrator.kernel.metrics import Family, Kind, Reading
from trading_orchestrator.perpetual_operations.monitoring.quantile import upper_quantile
from trading_orchestrator.perpetual_operations.monitoring.sample import Sample

DECIMALS = 6  # a µs, a millionth of a core: finer is noise of the clock, and noise is what costs bytes
TAIL = 0.99
# Labels of many values: /metrics shows each, the history would only grow. Of counters it keeps the sum over them.
NOT_KEPT = frozenset({"route", "metric", "query"})


def values_of(sample: Sample) -> Mapping[str, float]:
    """Return every number of the sample but its time; nan where nothing was measured, so that the series stay."""
    return {
        name: round(float(value), DECIMALS) if isinstance(value, int | float) else nan
        for name, value in msgspec.structs.asdict(sample).items()
        if name != "at_ns"
    }


class MetricTicks:
    """Turns readings into values of series: gauges and counters as they are, histograms as count and p99 of the tick.

    The names are Prometheus's: `name{label="value"}`. One event loop.
    """

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, ...]] = {}

    def values_of(self, families: Sequence[Family]) -> Mapping[str, float]:
        """Return one value per series; nan is the p99 of a histogram that saw nothing since the last tick."""
        found: dict[str, float] = {}
        for family in families:
            for reading in family.readings:
                if NOT_KEPT.isdisjoint(dict(reading.labels)):
                    found |= {name: round(value, DECIMALS) for name, value in self._of_reading(family, reading)}
                elif family.kind is Kind.COUNTER:
                    name = f"{family.name}{_shown(reading)}"
                    found[name] = round(found.get(name, 0.0) + reading.value, DECIMALS)
        return found

    def _of_reading(self, family: Family, reading: Reading) -> Iterator[tuple[str, float]]:
        shown = _shown(reading)
        if family.kind is not Kind.HISTOGRAM:
            yield f"{family.name}{shown}", reading.value
            return
        key = f"{family.name}{shown}"
        before = self._counts.get(key, (0,) * len(reading.counts))
        self._counts[key] = reading.counts
        yield f"{family.name}_count{shown}", float(sum(reading.counts))
        fresh = [after - was for after, was in zip(reading.counts, before, strict=True)]
        yield f"{family.name}_p99{shown}", upper_quantile(family.bounds, fresh, TAIL) if any(fresh) else nan


def _shown(reading: Reading) -> str:
    kept = [(key, value) for key, value in reading.labels if key not in NOT_KEPT]
    labels = ",".join(f'{key}="{value}"' for key, value in kept).replace("@", "_at_")
    return f"{{{labels}}}" if labels else ""
