"""When a quantity will reach its limit, by a line that a third of wild samples does not bend."""

from __future__ import annotations

import math
from statistics import median

from trading_orchestrator.perpetual_operations.alerts.rules.span import Points, Span

SAMPLES_MIN = 8
SAMPLES_USED = 100  # 4,950 slopes, about 1 ms; the accuracy of a median grows only with the root of more
COVERED_MIN = 0.5


def until_above(points: Points, span: Span) -> float | None:
    """Return the seconds until the line rises to `span.limit`: 0 when it is there, infinite when it does not rise.

    None with fewer than 8 samples, or when they cover less than half of the window: too little to say.
    """
    return _until(points, span, up=1.0)


def until_below(points: Points, span: Span) -> float | None:
    """Return the seconds until the line falls to `span.limit`; otherwise as `until_above`."""
    return _until(points, span, up=-1.0)


def robust_line(points: Points, origin_ns: int) -> tuple[float, float]:
    """Return slope per second and value at the origin.

    Cost: O(n**2), so of more than 100 samples every n-th is taken.
    Source: Theil 1950; Sen 1968 (median of pairwise slopes); breaks down at 29 % wild samples.
    """
    used = points[:: math.ceil(len(points) / SAMPLES_USED)]
    at_s = [(at_ns - origin_ns) / 1e9 for at_ns, _ in used]
    values = [value for _, value in used]
    slopes = [
        (values[later] - values[sooner]) / (at_s[later] - at_s[sooner])
        for later in range(1, len(used))
        for sooner in range(later)
    ]
    per_s = median(slopes)
    return per_s, median(value - per_s * at for at, value in zip(at_s, values, strict=True))


def _until(points: Points, span: Span, *, up: float) -> float | None:
    if len(points) < SAMPLES_MIN or points[-1][0] - points[0][0] < COVERED_MIN * span.length_ns:
        return None
    per_s, now = robust_line(points, span.end_ns)
    left = up * (span.limit - now)
    if left <= 0:
        return 0.0
    return left / (up * per_s) if up * per_s > 0 else math.inf
