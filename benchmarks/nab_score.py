"""The Numenta Anomaly Benchmark's score (standard profile) of detections on labelled series.

Source: Lavin and Ahmad, Evaluating Real-time Anomaly Detection Algorithms, 2015: a window around each anomaly earns
up to 1 for its earliest detection, loses 1 when there is none; a false detection costs up to 0.11, less right after
a window. The first 15 % of a series (at most 750 points) are not judged. 0 is a detector that says nothing, 100 one
that finds every window at its first point and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import NDArray

FALSE_COSTS, MISSED_COSTS = 0.11, 1.0
PROBATION_RATIO, PROBATION_MOST = 0.15, 750
Scores = NDArray[np.float64]
Windows = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Labelled:
    """A series with the windows (first and last index, both inside) in which a detection is wanted."""

    name: str
    at_s: NDArray[np.float64]
    values: NDArray[np.float64]
    windows: Windows


@dataclass(frozen=True)
class Judged:
    """What one series contributes."""

    raw: float
    windows: int
    found: int
    false: int


def judge(scores: Scores, windows: Windows, threshold: float) -> Judged:
    """Return the raw score of one series at a threshold."""
    probation = min(int(len(scores) * PROBATION_RATIO), PROBATION_MOST)
    detected = [int(at) for at in np.flatnonzero(scores >= threshold) if at >= probation]
    judged = [window for window in windows if window[1] >= probation]
    raw, found = 0.0, 0
    for first, last in judged:
        inside = [at for at in detected if first <= at <= last]
        raw += _early(inside[0], first, last) if inside else -MISSED_COSTS
        found += bool(inside)
    false = [at for at in detected if not any(first <= at <= last for first, last in windows)]
    raw += sum(_false(at, windows) for at in false)
    return Judged(raw, len(judged), found, len(false))


def total(judged: Sequence[Judged]) -> float:
    """Return the score of a corpus, from 0 (silence) to 100 (perfect)."""
    raw, windows = sum(each.raw for each in judged), sum(each.windows for each in judged)
    return 100 * (raw + windows * MISSED_COSTS) / (windows * (1 + MISSED_COSTS))


def best_threshold(corpus: Sequence[tuple[Scores, Windows]]) -> tuple[float, float]:
    """Return the threshold that scores best over all series at once, as the benchmark chooses it, and its score."""
    candidates = np.unique(np.round(np.concatenate([scores for scores, _ in corpus]), 3))
    candidates = candidates[candidates > 0.05]
    rated = [(total([judge(scores, windows, each) for scores, windows in corpus]), float(each)) for each in candidates]
    score, threshold = max(rated, default=(0.0, 1.1))
    return threshold, score


def _early(at: int, first: int, last: int) -> float:
    return _sigmoid(-(last - at + 1) / (last - first + 1)) / _sigmoid(-1.0)


def _false(at: int, windows: Windows) -> float:
    before = [window for window in windows if window[1] < at]
    if not before:
        return -FALSE_COSTS
    first, last = before[-1]
    return FALSE_COSTS * _sigmoid((at - last) / max(1, last - first))


def _sigmoid(position: float) -> float:
    return -1.0 if position > 3 else 2 / (1 + exp(5 * position)) - 1
