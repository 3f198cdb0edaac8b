"""Numbers made of a window of samples, as Prometheus makes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from trading_orchestrator.perpetual_operations.alerts.rules import exhaustion
from trading_orchestrator.perpetual_operations.alerts.rules.span import Points, Span


def rate(points: Points, span: Span) -> float | None:
    """Return the growth of a counter per second, drawn out to the window's ends; None below two samples."""
    return _drawn_out(points, span, is_counter=True, per_s=span.length_ns / 1e9)


def increase(points: Points, span: Span) -> float | None:
    """Return a counter's growth over the window: falls are resets."""
    return _drawn_out(points, span, is_counter=True)


def delta(points: Points, span: Span) -> float | None:
    """Return a gauge's change over the window."""
    return _drawn_out(points, span, is_counter=False)


def instant_rate(points: Points, span: Span) -> float | None:
    """Return a counter's growth per second between its last two samples."""
    if len(points) < 2:
        return None
    (before_ns, before), (last_ns, last) = points[-2:]
    return (last if last < before else last - before) / ((last_ns - before_ns) / 1e9)


def slope(points: Points, span: Span) -> float | None:
    """Return the change per second of the line through the samples."""
    return None if len(points) < 2 else _line(points, points[0][0])[0]


def forecast(points: Points, span: Span) -> float | None:
    """Return the value the line through the samples has `horizon_s` after the window's end."""
    if len(points) < 2:
        return None
    per_s, now = _line(points, span.end_ns)
    return now + per_s * span.horizon_s


def changes(points: Points, span: Span) -> float | None:
    """Return how often the value changed."""
    return _steps(points, lambda before, after: before != after)


def resets(points: Points, span: Span) -> float | None:
    """Return how often the value fell."""
    return _steps(points, lambda before, after: after < before)


def mean(values: Sequence[float]) -> float:
    """Return the mean across series, made value by value."""
    found = 0.0
    for count, value in enumerate(values, start=1):
        found += value / count - found / count
    return found


def plain_sum(values: Sequence[float]) -> float:
    """Return the sum across series; Python's own `sum` may keep digits that Prometheus loses."""
    total = 0.0
    for value in values:
        total += value
    return total


def mean_over_time(values: Sequence[float]) -> float:
    """Return the mean, made value by value with the lost digits kept (Kahan, Neumaier)."""
    mean, lost = 0.0, 0.0
    for count, value in enumerate(values, start=1):
        if math.isinf(mean) and (value == mean or math.isfinite(value)):
            continue
        mean, lost = _added(value / count - mean / count, mean, lost)
    return mean if math.isinf(mean) else mean + lost


def exact_sum(values: Sequence[float]) -> float:
    """Return the sum with the lost digits kept (Kahan, Neumaier)."""
    total, lost = 0.0, 0.0
    for value in values:
        total, lost = _added(value, total, lost)
    return total if math.isinf(total) else total + lost


def _added(value: float, total: float, lost: float) -> tuple[float, float]:
    new = total + value
    lost += (total - new) + value if abs(total) >= abs(value) else (value - new) + total
    return new, lost


def _steps(points: Points, counts: Callable[[float, float], bool]) -> float | None:
    if not points:
        return None
    return float(sum(counts(before[1], after[1]) for before, after in zip(points, points[1:], strict=False)))


def _of_values(make: Callable[[list[float]], float]) -> Callable[[Points, Span], float | None]:
    return lambda points, span: make([value for _, value in points]) if points else None


def _drawn_out(points: Points, span: Span, *, is_counter: bool, per_s: float = 1.0) -> float | None:
    """Extend the change between first and last sample to the window's ends, at most by half a step beyond a gap.

    The order of the operations is Prometheus's: a value in a label must have the same last digit.
    Source: Prometheus promql/functions.go extrapolatedRate.
    """
    if len(points) < 2:
        return None
    (first_ns, first), (last_ns, last) = points[0], points[-1]
    change = last - first
    if is_counter:
        change += sum(before[1] for before, after in zip(points, points[1:], strict=False) if after[1] < before[1])
    sampled_s = (last_ns - first_ns) / 1e9
    step_s = sampled_s / (len(points) - 1)
    to_start_s = (first_ns - (span.end_ns - span.length_ns)) / 1e9
    to_end_s = (span.end_ns - last_ns) / 1e9
    if is_counter and change > 0 and first >= 0:
        to_start_s = min(to_start_s, sampled_s * (first / change))  # no counter was ever below zero
    drawn_s = sampled_s
    for gap_s in (to_start_s, to_end_s):
        drawn_s += gap_s if gap_s < step_s * 1.1 else step_s / 2
    return change * (drawn_s / sampled_s / per_s)


def _line(points: Points, origin_ns: int) -> tuple[float, float]:
    """Return slope per second and value at the origin of the least-squares line; a flat series is exactly flat."""
    if all(value == points[0][1] for _, value in points):
        return 0.0, points[0][1]
    n = len(points)
    xs = [(at_ns - origin_ns) / 1e9 for at_ns, _ in points]
    sum_x, sum_y = sum(xs), sum(value for _, value in points)
    covariance = sum(x * value for x, (_, value) in zip(xs, points, strict=True)) - sum_x * sum_y / n
    variance = sum(x * x for x in xs) - sum_x * sum_x / n
    per_s = covariance / variance
    return per_s, sum_y / n - per_s * sum_x / n


FUNCTIONS: dict[str, Callable[[Points, Span], float | None]] = {
    "avg": _of_values(mean_over_time),
    "min": _of_values(min),
    "max": _of_values(max),
    "sum": _of_values(exact_sum),
    "count": _of_values(lambda values: float(len(values))),
    "last_seen": _of_values(lambda values: values[-1]),
    "rate": rate,
    "increase": increase,
    "delta": delta,
    "instant_rate": instant_rate,
    "slope": slope,
    "forecast": forecast,
    "until_above": exhaustion.until_above,
    "until_below": exhaustion.until_below,
    "changes": changes,
    "resets": resets,
}
COUNTERS = frozenset({"rate", "increase", "instant_rate", "last", "absent"})
