"""Two days of memory as programs show it, a sample a second, and what the detector's suspicion makes of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from trading_orchestrator.perpetual_operations.monitoring.leaks.config import LeaksConfig
from trading_orchestrator.perpetual_operations.monitoring.leaks.suspicion import Suspicion, blocks_of, suspect

MB, HOUR_S = 1e6, 3600.0
TWO_DAYS_S, STEP_S = 48 * HOUR_S, 1.0
WALK_S = 30.0
"""The steps of a random walk are given for half a minute: memory does not wander twice as far when looked at more."""
Trace = NDArray[np.float64]
AT_S: Trace = np.arange(0, TWO_DAYS_S, STEP_S)
Rng = np.random.Generator


def measured(rng: Rng, trace: Trace) -> Trace:
    return trace + rng.normal(0, 0.3 * MB, len(trace))


def daily_cycle(rng: Rng) -> Trace:
    return 200 * MB + rng.uniform(20, 80) * MB * np.sin(2 * np.pi * (AT_S / 86_400 + rng.random()))


def warm_up(rng: Rng) -> Trace:
    return 80 * MB + rng.uniform(50, 200) * MB * (1 - np.exp(-AT_S / rng.uniform(60, 1800)))


def cache_fill(rng: Rng) -> Trace:
    return 100 * MB + rng.uniform(50, 250) * MB * (1 - np.exp(-AT_S / rng.uniform(HOUR_S, 8 * HOUR_S)))


def gc_sawtooth(rng: Rng) -> Trace:
    period_s = rng.uniform(60, 3 * HOUR_S)
    return 120 * MB + rng.uniform(10, 80) * MB * ((AT_S + rng.uniform(0, period_s)) % period_s) / period_s


def random_walk(rng: Rng) -> Trace:
    step = rng.uniform(0.02, 0.3) * MB * (STEP_S / WALK_S) ** 0.5
    return 200 * MB + np.cumsum(rng.normal(0, step, len(AT_S)))


KINDS = (daily_cycle, warm_up, cache_fill, gc_sawtooth, random_walk)


def floors_of(trace: Trace, block_s: float) -> tuple[Trace, Trace]:
    """Return the lowest value of each block that is over, and when it was: what `Floors` gives, at once."""
    block = (AT_S[: len(trace)] // block_s).astype(np.int64)
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    return np.minimum.reduceat(trace, starts)[:-1], AT_S[starts[1:]]


def suspicions(trace: Trace, *, limit_bytes: float) -> Iterator[tuple[float, Suspicion]]:
    """Yield every suspicion of the default windows with its time, window by window."""
    config = LeaksConfig()
    for window_s in config.windows_s:
        count = blocks_of(window_s)
        floors, at_s = floors_of(trace, window_s / count)
        grown = floors[count - 1 :] - floors[: len(floors) - count + 1]
        for first in np.flatnonzero(grown >= config.grown_bytes).tolist():  # below it nothing is suspected
            over_s = float(at_s[first + count - 1])
            found = suspect(
                floors[first : first + count].tolist(),
                window_s=window_s,
                uptime_s=over_s,
                limit_bytes=limit_bytes,
                grown_bytes=config.grown_bytes,
                sureness=config.sureness,
            )
            if found is not None:
                yield over_s, found


def first_suspicion(trace: Trace, *, limit_bytes: float) -> tuple[float, Suspicion] | None:
    """Return the earliest suspicion of any window."""
    return min(suspicions(trace, limit_bytes=limit_bytes), key=lambda found: found[0], default=None)
