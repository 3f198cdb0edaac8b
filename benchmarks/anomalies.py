"""AnomalyDetector by the NAB score: on made server series with labels, and on what this host recorded."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.nab_score import Judged, Scores, Windows, best_threshold, judge, total
from benchmarks.server_series import corpus
from trading_orchestrator.perpetual_operations.monitoring.analytics.anomaly_detector import detect

SEEDS = range(101, 107)  # the tuning was chosen on seeds 11 to 23
AT_THE_BAR = 0.5
WINDOWED = 150
RECORDED = Path(__file__).with_name("recorded_busy_host.csv")
PLANTED_RATIO = 0.7
SOON = 20


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
        ("recorded: a shared host that built and tested for 106 minutes, as it was", _recorded()),
        ("  with a spike of twice its range in each series", _planted(spike=True)),
        ("  with a level raised by its range in each series", _planted(spike=False)),
    ]
    for what, figure in rows:
        print(f"{what:<66} {figure}")
    return rows


def _columns() -> tuple[Scores, list[Scores]]:
    """Return times and series of the recording: means of five seconds."""
    rows = np.loadtxt(RECORDED, delimiter=",", skiprows=1)
    return rows[:, 0], list(rows[:, 1:].T)


def _recorded() -> str:
    at_s, series = _columns()
    told = sum(int(detect(at_s, values)[1].sum()) for values in series)
    return f"{told} told in {len(series)} series of {len(at_s):,} values, none of them labelled"


def _planted(*, spike: bool) -> str:
    at_s, series = _columns()
    found = 0
    for values in series:
        at = int(len(values) * PLANTED_RATIO)
        usual = float(np.percentile(values[:at], 99) - np.percentile(values[:at], 1))
        changed = values.copy()
        changed[at : at + 3 if spike else None] += (2 if spike else 1) * usual
        found += bool(detect(at_s, changed)[1][at : at + SOON].any())
    return f"found {found} of {len(series)} within {SOON} values"


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
