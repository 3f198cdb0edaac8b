"""AnomalyDetector: says when a series does what it never does. Streaming, robust, seasonal.

Each value is looked at from several sides: how high, how low, how sudden, how sustained, how restless, how still, how
unlike this time of day. On each side it is compared with the *peaks* of blocks of the past: a side that peaks in every
block is normal however spiky it is, and past anomalies in a block or two do not raise the bar. Nothing is assumed of
the distribution. Source: block maxima (Fisher and Tippett 1928), placed by order statistics instead of a fit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from math import isfinite, log, sqrt
from typing import TYPE_CHECKING

import msgspec

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.monitoring.analytics.season import Season
from trading_orchestrator.perpetual_operations.monitoring.analytics.side import Side

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

LOG_FLOOR = 0.15  # restlessness is a logarithm: a sixth more is the least that matters
TINY = 1e-12
GAP_STEPS = 20
LARGEST = 1e100  # squares and sums stay finite
LEVELS = ("high", "low")
SIDES = (*LEVELS, "jump", "fall", "raised", "lowered", "restless", "still", "above this hour", "below this hour")


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """Found on series of our own (benchmarks/anomalies.py measures again); lengths are in values.

    block, blocks: one look at the past, and how many are remembered. warm_up: blocks before anything is said.
    bar: spreads above the usual peaks that make an anomaly; 1.5 says half as much. rank: blocks that may be outliers.
    quiet: blocks after an anomaly in which only what is `worse` times as far out is told.
    short, long: of the means that smooth. floor_ratio, level_floor_ratio: of the usual range and of the level, below
    which no difference matters.
    """

    block: int = 32
    blocks: int = 220
    warm_up: int = 6
    bar: float = 1.0
    rank: int = 3
    quiet: float = 6.0
    worse: float = 2.5
    short: int = 5
    long: int = 24
    floor_ratio: float = 0.06
    level_floor_ratio: float = 0.02


class Verdict(msgspec.Struct, frozen=True):
    """`score` in [0, 1], 0.5 at the bar. An anomaly is told once, at its onset; `side` says how it shows."""

    score: float
    is_anomaly: bool = False
    side: str = ""


NOTHING = Verdict(0.0)


class AnomalyDetector:
    """One series, fed in the order of time. 15 µs and 60 kB a series at most; no numpy. One thread at a time.

    A process that starts anew feeds it what the history still has before it listens to it: no storm after a restart.
    """

    def __init__(self, tuning: Tuning | None = None) -> None:
        self._tuning = tuning = Tuning() if tuning is None else tuning
        self._sides = {
            name: Side(tuning.blocks, tuning.rank, LOG_FLOOR if name in ("restless", "still") else None)
            for name in SIDES
        }
        self._recent: deque[float] = deque(maxlen=tuning.long)
        self._season = Season()
        self._block: list[float] = []
        self._lows: deque[float] = deque(maxlen=tuning.blocks)
        self._highs: deque[float] = deque(maxlen=tuning.blocks)
        self._range = 0.0
        self._floor = TINY
        self._quiet_left = 0
        self._told = 0.0
        self._at_s: float | None = None
        self._step_s = 0.0

    def feed(self, at_s: float, value: float) -> Verdict:
        """Return what the value is, and learn it; one that is not finite is passed over.

        Args:
            at_s: Unix seconds; the time of day matters, so that tonight is compared with other nights.
        """
        if not isfinite(value):
            return NOTHING
        value = max(-LARGEST, min(LARGEST, value))
        self._note_time(at_s)
        furthest, side = 0.0, ""
        for name, seen in self._looks(at_s, value):
            looked = self._sides[name]
            out = looked.look(seen, self._floor)
            if out > furthest and looked.blocks >= self._tuning.warm_up:
                furthest, side = out, name
        self._recent.append(value)
        self._learn(value)
        return self._verdict(furthest, side)

    def _verdict(self, furthest: float, side: str) -> Verdict:
        bar = self._tuning.bar
        score = furthest / (furthest + bar)
        if self._quiet_left > 0:
            self._quiet_left -= 1
            if furthest < self._tuning.worse * self._told:
                return Verdict(min(score, 0.5) / 2, side=side)
        if furthest < bar:
            return Verdict(score, side=side)
        self._quiet_left = int(self._tuning.quiet * self._tuning.block)
        self._told = furthest
        return Verdict(score, is_anomaly=True, side=side)

    def _looks(self, at_s: float, value: float) -> Iterator[tuple[str, float]]:
        usual = self._season.usual(at_s, value)
        yield "high", value
        yield "low", -value
        recent = list(self._recent)
        if len(recent) < self._tuning.long:
            return
        short = self._tuning.short
        middle = sorted(recent[-2 * short :])[short]
        yield "jump", value - middle
        yield "fall", middle - value
        mean = (sum(recent) + value) / (len(recent) + 1)
        yield "raised", mean
        yield "lowered", -mean
        variance = sum((each - mean) ** 2 for each in recent) / len(recent)
        restless = log(sqrt(variance) + self._range / 1000 + TINY)
        yield "restless", restless
        yield "still", -restless
        if usual is not None:
            smooth = (sum(recent[1 - short :]) + value) / short
            yield "above this hour", smooth - usual[1]
            yield "below this hour", usual[0] - smooth

    def _learn(self, value: float) -> None:
        block = self._block
        block.append(value)
        if len(block) < self._tuning.block:
            return
        for side in self._sides.values():
            side.close_block()
        self._lows.append(min(block))
        self._highs.append(max(block))
        block.clear()
        lows, highs = sorted(self._lows), sorted(self._highs)
        odd, half = len(highs) // 10, len(highs) // 2
        self._range = highs[-1 - odd] - lows[odd]
        level = abs(highs[half] + lows[half]) / 2
        self._floor = self._tuning.floor_ratio * self._range + self._tuning.level_floor_ratio * level + TINY

    def _note_time(self, at_s: float) -> None:
        """After a gap nothing is sudden: what came before it says nothing of a change from value to value."""
        if self._at_s is not None:
            step_s = at_s - self._at_s
            if self._step_s and step_s > GAP_STEPS * self._step_s:
                self._recent.clear()
            elif step_s > 0:
                self._step_s = step_s if not self._step_s else 0.9 * self._step_s + 0.1 * step_s
        self._at_s = at_s


def detect(
    at_s: ArrayLike, values: ArrayLike, tuning: Tuning | None = None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return scores and onsets of a whole series, each value judged by those before it only.

    Args:
        at_s: shape (n,), rising: Unix seconds, or datetime64. values: shape (n,).

    Raises:
        Refused: the lengths differ.
    """
    import numpy as np

    times, series = np.asarray(at_s), np.asarray(values, dtype=np.float64)
    if times.dtype.kind == "M":
        times = times.astype("datetime64[ns]").astype(np.int64) / 1e9
    if len(times) != len(series):
        raise Refused(f"expected as many times as values, was {len(times)} and {len(series)}")
    detector = AnomalyDetector(tuning)
    verdicts = [detector.feed(float(at), value) for at, value in zip(times, series.tolist(), strict=True)]
    scores = np.array([verdict.score for verdict in verdicts], dtype=np.float64)
    return scores, np.array([verdict.is_anomaly for verdict in verdicts], dtype=np.bool_)
