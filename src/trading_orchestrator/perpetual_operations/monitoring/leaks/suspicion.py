"""Suspicion: cheap, from envelopes alone. It may be wrong, so it only ever asks for a closer look."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt

import msgspec

DAY_S = 86_400.0
BLOCKS = 12
DAY_BLOCKS = 52  # half hours of 26 h: the last two hours have a yesterday
NEAR_WINDOWS = 10
STILL_GROWS_RATIO = 0.5
YESTERDAY_BLOCKS = 4


class Suspicion(msgspec.Struct, frozen=True):
    """Memory grew by `slope_bytes_s` for `window_s`; at that rate it meets the limit in `limit_in_s`.

    agrees: what else grew over the same window, e.g. `descriptors`.
    """

    window_s: float
    slope_bytes_s: float
    level_bytes: float
    limit_in_s: float
    sureness: float
    agrees: tuple[str, ...] = ()


def blocks_of(window_s: float) -> int:
    """Return into how many blocks a window is cut."""
    return DAY_BLOCKS if window_s >= DAY_S else BLOCKS


def suspect(
    floors: Sequence[float],
    *,
    window_s: float,
    uptime_s: float,
    limit_bytes: float,
    grown_bytes: float,
    sureness: float,
) -> Suspicion | None:
    """Return the suspicion that a full window of floors raises, or None.

    All must hold: it grew, by more than chance explains (a random walk drifts as well), it has not slowed down (caches
    fill, programs warm up), the limit is near enough, and over a day it lies above the same hours of yesterday. The
    first window of a process is its warm-up, and suspicious only when the limit comes before another would be over.
    """
    count, grown = len(floors), floors[-1] - floors[0]
    slope = grown / (window_s * (count - 1) / count)
    if grown < grown_bytes or slope <= 0:
        return None
    sure = drift(floors)
    limit_in_s = max(0.0, limit_bytes - floors[-1]) / slope
    if sure < sureness or limit_in_s > NEAR_WINDOWS * window_s or not still_grows(floors):
        return None
    if uptime_s < 2 * window_s < 2 * DAY_S and limit_in_s > 2 * window_s:
        return None
    if window_s >= DAY_S and not _above_yesterday(floors, window_s / count, grown_bytes):
        return None
    return Suspicion(window_s, slope, floors[-1], limit_in_s, min(sure, 1e6))


def drift(floors: Sequence[float]) -> float:
    """Return how many standard deviations the sum of the steps lies from zero, were each step a matter of chance."""
    steps = [after - before for before, after in zip(floors, floors[1:], strict=False)]
    mean = sum(steps) / len(steps)
    variance = sum((step - mean) ** 2 for step in steps) / max(1, len(steps) - 1)
    return sum(steps) / sqrt(variance * len(steps)) if variance else inf


def still_grows(floors: Sequence[float]) -> bool:
    """Return whether the last third rose at least at half the pace of the whole."""
    third = max(2, len(floors) // 3)
    whole = (floors[-1] - floors[0]) / (len(floors) - 1)
    return (floors[-1] - floors[-third]) / (third - 1) >= STILL_GROWS_RATIO * whole


def _above_yesterday(floors: Sequence[float], block_s: float, grown_bytes: float) -> bool:
    day = round(DAY_S / block_s)
    last = range(len(floors) - YESTERDAY_BLOCKS, len(floors))
    return all(at >= day and floors[at] - floors[at - day] > grown_bytes for at in last)
