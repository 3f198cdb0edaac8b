"""What a soak must keep to: for each measured line a bound, and how much it may grow while the time passes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trading_orchestrator.perpetual_operations.monitoring.analytics.forecast import LEAST, trend

WARM_UP_S = 30.0
"""The first seconds of a process: it imports, reads the journal and fills its caches."""
JUDGED_FROM_S = 60.0
"""A life shorter than this shows no trend."""


@dataclass(frozen=True)
class Reading:
    """One value. `of`: a node, `keeper`, `system` (all processes together) or `files`; `at_s` since the soak began."""

    at_s: float
    of: str
    what: str
    value: float


@dataclass(frozen=True)
class Bound:
    """What is healthy. A line may grow by `step` over any time, for what a busy hour needs, and by `per_h` for ever.

    most: never above it. step: None when the line grows by nature and only its bound counts.
    """

    what: str
    unit: str
    most: float
    step: float | None
    per_h: float = 0.0


BOUNDS: tuple[Bound, ...] = (
    Bound("rss", "MB", 250.0, step=8.0, per_h=1.0),
    Bound("pss", "MB", 200.0, step=8.0, per_h=1.0),
    Bound("descriptors", "", 256.0, step=8.0, per_h=1.0),
    Bound("threads", "", 64.0, step=4.0, per_h=0.5),
    Bound("tasks", "", 400.0, step=20.0, per_h=2.0),
    Bound("wal", "MB", 96.0, step=32.0, per_h=1.0),
    Bound("disk", "MB", 100_000.0, step=None),
    Bound("disk_per_fact", "B", 4000.0, step=None),
)
WHOLE, PROCESSES = "system", 3
"""The line of all processes together may grow as keeper and two nodes may."""


@dataclass(frozen=True)
class Line:
    """One series, judged.

    slope_per_h, low_per_h: None when the life was too short; below the second the slope surely is not.
    wrong: one sentence, "" when it keeps to its bounds.
    """

    of: str
    what: str
    unit: str
    samples: int
    span_s: float
    first: float
    last: float
    most: float
    slope_per_h: float | None
    low_per_h: float | None
    wrong: str


def judge_lines(readings: Iterable[Reading], bounds: Sequence[Bound] = BOUNDS) -> list[Line]:
    """Return every line in the order of the bounds, the longest lives first."""
    series: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for one in readings:
        series[one.what, one.of].append((one.at_s, one.value))
    named: Mapping[str, Bound] = {bound.what: bound for bound in bounds}
    order = {bound.what: number for number, bound in enumerate(bounds)}
    lines = [_line(of, named[what], points) for (what, of), points in series.items() if what in named]
    return sorted(lines, key=lambda line: (order[line.what], -line.span_s, line.of))


def _line(of: str, bound: Bound, points: Sequence[tuple[float, float]]) -> Line:
    samples = np.array(points, dtype=np.float64)
    most = float(samples[:, 1].max())
    warm = samples[samples[:, 0] >= samples[0, 0] + WARM_UP_S]
    span_s = float(samples[-1, 0] - samples[0, 0])
    slope_h = low_h = None
    wrong = ""
    if len(warm) >= LEAST and warm[-1, 0] - warm[0, 0] >= JUDGED_FROM_S:
        found = trend(warm)
        slope_h, low_h = found.slope_s * 3600, found.low_s * 3600
        wrong = _grows(of, bound, low_h, (warm[-1, 0] - warm[0, 0]) / 3600)
    if of != WHOLE and most > bound.most:
        wrong = f"{of}: {bound.what} reached {_said(most, bound)}, its bound is {_said(bound.most, bound)}"
    first, last = float(samples[0, 1]), float(samples[-1, 1])
    return Line(of, bound.what, bound.unit, len(samples), span_s, first, last, most, slope_h, low_h, wrong)


def _grows(of: str, bound: Bound, low_h: float, span_h: float) -> str:
    """A line is wrong when the least growth that fits it is more than its step and its hours allow."""
    if bound.step is None:
        return ""
    processes = PROCESSES if of == WHOLE else 1
    grown, allowed = low_h * span_h, processes * (bound.step + bound.per_h * span_h)
    if grown <= allowed:
        return ""
    return (
        f"{of}: {bound.what} grew by at least {_said(grown, bound)} in {span_h * 60:.0f} min "
        f"({_said(low_h, bound)}/h), expected at most {_said(allowed, bound)}"
    )


def _said(value: float, bound: Bound) -> str:
    return f"{value:.1f} {bound.unit}".rstrip()
