"""When a resource runs out, with a range: the median of pairwise slopes, and what its ranks leave open."""

from __future__ import annotations

from math import sqrt

import msgspec
import numpy as np
from numpy.typing import NDArray

from trading_orchestrator.errors import Refused

LEAST, MOST = 8, 200
Z_90 = 1.645
Floats = NDArray[np.float64]


class Forecast(msgspec.Struct, frozen=True):
    """The limit is reached in `reaches_in_s`, with nine tenths of certainty between `earliest_s` and `latest_s`; all
    three are 0 when it is reached already.

    latest_s: None when the slowest slope that fits would not reach it at all within the horizon.
    """

    level: float
    limit: float
    slope_s: float
    reaches_in_s: float
    earliest_s: float
    latest_s: float | None


class Trend(msgspec.Struct, frozen=True):
    """How fast a series moves, per second; with nine tenths of certainty between `low` and `high`."""

    slope_s: float
    low_s: float
    high_s: float


class TooFewSamples(Refused):
    """Fewer than eight samples, or time does not rise. Facts: samples."""

    code = "forecast.too_few_samples"


def forecast_exhaustion(samples: Floats, *, limit: float, horizon_s: float, falls: bool = False) -> Forecast | None:
    """Return when the series reaches `limit`; None if no trend towards it is certain in time.

    Beyond its limit a series has reached it, wherever its trend leads.

    Args:
        samples: shape (n, 2); columns at_s (rising) and value; n >= 8. More than 200 are averaged in groups.
        falls: the limit is a floor, such as free space; else it is a ceiling.

    Raises:
        TooFewSamples: as it says; wait for more.

    Cost: O(n**2), 2 ms at n = 200 (benchmarks/anomalies.py).
    Source: Theil 1950; Sen 1968 (slopes and their interval); the interval is widened by the autocorrelation of what
    the line leaves over, because memory and disks remember: Yue and Wang 2004.
    """
    at_s, values = _thinned(_checked(samples))
    middle, low, high = _slopes(at_s, values)
    now = float(np.median(values + middle * (at_s[-1] - at_s)))
    sign = -1.0 if falls else 1.0
    rest = sign * (limit - now)
    if rest <= 0:
        return Forecast(now, limit, middle, 0.0, 0.0, 0.0)
    slowest, fastest = sorted((sign * low, sign * high))
    if slowest <= 0 or sign * middle <= 0:
        return None
    reaches_s = rest / (sign * middle)
    if reaches_s > horizon_s:
        return None
    latest_s = rest / slowest
    return Forecast(now, limit, middle, reaches_s, rest / fastest, latest_s if latest_s <= 10 * horizon_s else None)


def trend(samples: Floats) -> Trend:
    """Return how fast the series moves. Arguments, cost and source as above.

    Raises:
        TooFewSamples: as above.
    """
    return Trend(*_slopes(*_thinned(_checked(samples))))


def _checked(samples: Floats) -> Floats:
    if len(samples) < LEAST or bool((np.diff(samples[:, 0]) <= 0).any()):
        raise TooFewSamples(
            f"expected at least {LEAST} samples in rising time, was {len(samples)}", samples=len(samples)
        )
    return samples


def _thinned(samples: Floats) -> tuple[Floats, Floats]:
    groups = min(MOST, len(samples))
    edges = np.linspace(0, len(samples), groups + 1).astype(int)[:-1]
    counts = np.diff(np.append(edges, len(samples)))
    means = np.add.reduceat(samples, edges, axis=0) / counts[:, None]
    return means[:, 0], means[:, 1]


def _slopes(at_s: Floats, values: Floats) -> tuple[float, float, float]:
    """Return the median slope and the bounds of its interval."""
    count = len(at_s)
    first, second = np.triu_indices(count, 1)
    slopes = np.sort((values[second] - values[first]) / (at_s[second] - at_s[first]))
    middle = float(np.median(slopes))
    open_ranks = Z_90 * sqrt(count * (count - 1) * (2 * count + 5) / 18 * _memory(values - middle * at_s))
    low = max(0, int((len(slopes) - open_ranks) / 2))
    high = min(len(slopes) - 1, int((len(slopes) + open_ranks) / 2) + 1)
    return middle, float(slopes[low]), float(slopes[high])


def _memory(left: Floats) -> float:
    """Return how many values stand for one that is independent of the others, from neighbours' likeness."""
    centred = left - left.mean()
    whole = float(centred @ centred)
    if whole == 0:
        return 1.0
    likeness = min(0.97, max(0.0, float(centred[1:] @ centred[:-1]) / whole))
    return (1 + likeness) / (1 - likeness)
