"""AnomalyDetector by the NAB score: on made server series with labels, and on what this host recorded."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy as np

from benchmarks.nab_score import Judged, Scores, Windows, best_threshold, judge, total
from benchmarks.server_series import corpus
from trading_orchestrator.perpetual_operations.monitoring.analytics.anomaly_detector import detect

SEEDS = range(101, 107)  # the tuning was chosen on seeds 11 to 23
AT_THE_BAR = 0.5
WINDOWED = 150


def main() -> Sequence[tuple[str, str]]:
    """Measure for about half a minute, print a table, and return its rows."""
    series = [each for seed in SEEDS for each in corpus(seed, copies=1)]
    began = time.process_time()
    scored = [(detect(each.at_s, each.values)[0], each.windows) for each in series]
    cost_us = (time.process_time() - began) * 1e6 / sum(len(each.values) for each in series)
    judged = [judge(scores, windows, AT_THE_BAR) for scores, windows in scored]
    points = sum(len(each.values) for each in series)
    plain = [(_windowed_gaussian(each.values), each.windows) for each in series]
    rows = [
        (f"{len(series)} series, {points:,} values: NAB score at the detector's own bar", _shown(judged, points)),
        ("  at the threshold that scores best over all series", _best(scored)),
        ("  a windowed Gaussian (NAB's baseline) at its best threshold", _best(plain)),
        ("  cost", f"{cost_us:.1f} µs a value"),
    ]
    for what, figure in rows:
        print(f"{what:<66} {figure}")
    return rows


def _shown(judged: Sequence[Judged], points: int) -> str:
    found, windows = sum(each.found for each in judged), sum(each.windows for each in judged)
    false = sum(each.false for each in judged)
    return f"{total(judged):.1f}, found {found} of {windows}, {1e4 * false / points:.1f} false in 10,000 values"


def _best(scored: Sequence[tuple[Scores, Windows]]) -> str:
    threshold, score = best_threshold(scored)
    return f"{score:.1f} at {threshold:.3f}"


def _windowed_gaussian(values: Scores) -> Scores:
    """How unlikely a value is under the mean and deviation of the values before it."""
    scores = np.zeros(len(values))
    for at in range(WINDOWED, len(values)):
        past = values[at - WINDOWED : at]
        out = abs(values[at] - past.mean()) / (past.std() + 1e-9)
        scores[at] = out / (out + 3)
    return scores


if __name__ == "__main__":
    sys.exit(not main())
