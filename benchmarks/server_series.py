"""Server metrics with labelled anomalies, from seeds: what hosts, load balancers, databases and services look like."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.nab_score import Labelled

POINTS = 4000
STEP_S = 300.0
DAY = 288
WINDOWS_RATIO = 0.1
Rng = np.random.Generator
Array = NDArray[np.float64]


def corpus(seed: int, copies: int = 2) -> list[Labelled]:
    """Return every kind of series with every fitting kind of trouble, and some without any."""
    made = []
    for number, (kind, make) in enumerate(KINDS.items()):
        for copy in range(copies):
            rng = np.random.default_rng([seed, number, copy])
            values = make(rng)
            count = int(rng.choice([0, 1, 2, 2, 3]))
            made.append(_troubled(f"{kind}-{copy}", values, count, rng))
    return made


def _troubled(name: str, values: Array, count: int, rng: Rng) -> Labelled:
    """Put `count` troubles far apart behind the probation, and a window around each."""
    half = int(len(values) * WINDOWS_RATIO / max(1, count) / 2)
    first = int(len(values) * 0.2)
    slots = np.linspace(first, len(values) - 250, count + 1).astype(int)
    windows = []
    for low, high in zip(slots[:-1], slots[1:], strict=True):
        at = int(rng.integers(low + 40, max(low + 41, high - 160)))
        TROUBLES[int(rng.integers(len(TROUBLES)))](values, at, rng)
        windows.append((max(0, at - half), min(len(values) - 1, at + half)))
    return Labelled(name, 1.7e9 + np.arange(len(values), dtype=np.float64) * STEP_S, values, windows)


def _scale(values: Array, at: int) -> float:
    past = values[:at]
    return float(np.percentile(past, 99) - np.percentile(past, 1)) or float(abs(np.median(past))) or 1.0


def _spike(values: Array, at: int, rng: Rng) -> None:
    values[at : at + int(rng.integers(1, 6))] += _scale(values, at) * rng.uniform(0.8, 4)


def _dip(values: Array, at: int, rng: Rng) -> None:
    length = int(rng.integers(3, 30))
    values[at : at + length] = np.minimum(values[at : at + length], np.percentile(values[:at], 2) * rng.uniform(0, 0.6))


def _shift(values: Array, at: int, rng: Rng) -> None:
    values[at : at + int(rng.integers(100, 600))] += _scale(values, at) * rng.uniform(0.4, 1.5)


def _noisy(values: Array, at: int, rng: Rng) -> None:
    length = int(rng.integers(40, 150))
    values[at : at + length] += rng.normal(0, 0.5 * _scale(values, at), length)


def _frozen(values: Array, at: int, rng: Rng) -> None:
    length = int(rng.integers(60, 200))
    values[at : at + length] = values[at]


def _ramp(values: Array, at: int, rng: Rng) -> None:
    length = int(rng.integers(50, 200))
    values[at : at + length] += np.linspace(0, _scale(values, at) * rng.uniform(0.8, 2), length)


def _wrong_hour(values: Array, at: int, rng: Rng) -> None:
    length = int(rng.integers(60, 144))
    values[at : at + length] = values[at + 1 - length : at + 1][::-1]


TROUBLES = (_spike, _spike, _spike, _dip, _shift, _shift, _noisy, _frozen, _ramp, _wrong_hour)


def _daily(rng: Rng, sharp: float = 1.0) -> Array:
    at = np.arange(POINTS)
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * (at + rng.integers(DAY)) / DAY)
    weekend = 1 - rng.uniform(0, 0.4) * ((at // DAY) % 7 >= 5)
    return np.asarray(wave**sharp * weekend)


def _ar(rng: Rng, memory: float, scale: float) -> Array:
    noise, out = rng.normal(0, scale, POINTS), np.empty(POINTS)
    held = 0.0
    for number, each in enumerate(noise):
        held = memory * held + each
        out[number] = held
    return out


def _bursts(rng: Rng, every: float, height: float) -> Array:
    out = np.zeros(POINTS)
    hits = np.flatnonzero(rng.random(POINTS) < 1 / every)
    out[hits] = height * rng.lognormal(0, 0.4, len(hits))
    return out


def _idle_cpu(rng: Rng) -> Array:
    return np.round(0.1 + np.abs(rng.normal(0, 0.01, POINTS)) + _bursts(rng, 150, 0.05), 3)


def _busy_cpu(rng: Rng) -> Array:
    return np.clip(40 + _ar(rng, 0.7, 3) + 6 * _daily(rng), 0, 100)


def _saw_cpu(rng: Rng) -> Array:
    return 1.8 + 0.2 * ((np.arange(POINTS) % int(rng.integers(20, 60))) / 40) + rng.normal(0, 0.02, POINTS)


def _near_full_cpu(rng: Rng) -> Array:
    return np.clip(95 + _ar(rng, 0.9, 1.0) - np.abs(rng.normal(0, 1, POINTS)), 0, 100)


def _cron_cpu(rng: Rng) -> Array:
    every = int(rng.integers(12, 72))
    beat = (np.arange(POINTS) % every == 0) * rng.uniform(10, 40)
    return np.asarray(np.abs(2 + rng.normal(0, 0.3, POINTS) + beat * rng.lognormal(0, 0.15, POINTS)), dtype=np.float64)


def _disk_writes(rng: Rng) -> Array:
    return np.where(rng.random(POINTS) < 0.6, 0, rng.lognormal(12, 0.8, POINTS))


def _network(rng: Rng) -> Array:
    return np.abs(5e5 * (0.3 + _daily(rng)) * rng.lognormal(0, 0.3, POINTS) + _bursts(rng, 60, 2e6))


def _requests(rng: Rng) -> Array:
    return rng.poisson(5 + 120 * _daily(rng, 1.5)).astype(float)


def _tweets(rng: Rng) -> Array:
    return rng.poisson((4 + 20 * _daily(rng)) * rng.lognormal(0, 0.5, POINTS)).astype(float) + _bursts(rng, 300, 60)


def _latency(rng: Rng) -> Array:
    return 45 + 1.5 * rng.standard_t(4, POINTS) + 2 * _daily(rng)


def _temperature(rng: Rng) -> Array:
    return 85 + np.cumsum(rng.normal(0, 0.25, POINTS)) * 0.3 + _ar(rng, 0.98, 0.5) + rng.normal(0, 0.3, POINTS)


def _two_levels(rng: Rng) -> Array:
    levels = rng.uniform(20, 50, 2)
    turns = np.cumsum(rng.random(POINTS) < 1 / 150) % 2
    return np.asarray(levels[turns] + rng.normal(0, 1, POINTS))


def _database_cpu(rng: Rng) -> Array:
    return np.round(14 + _ar(rng, 0.95, 0.3) + rng.exponential(0.5, POINTS) + 3 * _daily(rng, 3), 3)


def _occupancy(rng: Rng) -> Array:
    return np.abs(_daily(rng, 2) * 15 * rng.lognormal(0, 0.3, POINTS) + 2)


def _stairs(rng: Rng) -> Array:
    steps = np.cumsum((rng.random(POINTS) < 1 / 400) * rng.normal(0, 5, POINTS))
    return 50 + steps + rng.normal(0, 0.8, POINTS)


KINDS: dict[str, Callable[[Rng], Array]] = {
    "idle_cpu": _idle_cpu,
    "busy_cpu": _busy_cpu,
    "saw_cpu": _saw_cpu,
    "near_full_cpu": _near_full_cpu,
    "cron_cpu": _cron_cpu,
    "disk_writes": _disk_writes,
    "network": _network,
    "requests": _requests,
    "tweets": _tweets,
    "latency": _latency,
    "temperature": _temperature,
    "two_levels": _two_levels,
    "database_cpu": _database_cpu,
    "occupancy": _occupancy,
    "stairs": _stairs,
}
