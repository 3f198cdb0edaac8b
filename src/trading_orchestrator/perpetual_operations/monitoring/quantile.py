"""A quantile from counts of buckets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate


def upper_quantile(bounds: Sequence[float], counts: Sequence[int], ratio: float) -> float:
    """Return the upper bound of the bucket that holds the quantile: never less than it, at most a bucket more.

    Above the last bound the last bound is all that is known. No counts: 0.
    """
    wanted = ratio * sum(counts)
    if not wanted:
        return 0.0
    for bound, seen in zip(bounds, accumulate(counts), strict=False):
        if seen >= wanted:
            return bound
    return bounds[-1]
