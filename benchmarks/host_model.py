"""Host metrics as they come: ten kinds of measurements from a seed, in the precision their sources have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.floating[Any]]


def an_hour(hour: int, series: int) -> Rows:
    """Return an hour of every series: kinds of measurements by turns, from a seed of their own."""
    chance = np.random.default_rng(1000 + hour)
    at = np.arange(3600) + hour * 3600
    daily = 0.5 + 0.4 * np.sin(2 * np.pi * at / 86_400)
    return np.stack([KINDS[number % len(KINDS)](chance, daily, number) for number in range(series)], axis=1)


def _busy(chance: np.random.Generator, daily: Rows, number: int) -> Rows:
    """A CPU ratio as psutil tells it (a tenth of a per cent): the day, noise, and bursts."""
    noise = chance.normal(0, 0.02, len(daily)) + chance.exponential(0.3, len(daily)) * (
        chance.random(len(daily)) < 0.02
    )
    return np.round(np.clip(0.3 * daily + 0.05 + noise, 0, 1), 3)


def _load(chance: np.random.Generator, daily: Rows, number: int) -> Rows:
    """A load average: smooth, in hundredths, renewed every five seconds."""
    steps = np.repeat(np.cumsum(chance.normal(0, 0.03, len(daily) // 5)), 5)
    return np.round(np.abs(1 + daily + steps), 2)


def _memory(chance: np.random.Generator, daily: Rows, number: int) -> Rows:
    """Bytes available on a host: a walk by pages, each second."""
    return 8e9 + number * 4096.0 + 4096 * np.cumsum(chance.integers(-150, 151, len(daily)))


def _resident(chance: np.random.Generator, daily: Rows, number: int) -> Rows:
    """Resident bytes of a process: grows by pages now and then, and falls at a collection."""
    grown = np.cumsum(chance.integers(0, 40, len(daily)) * (chance.random(len(daily)) < 0.3))
    return 1.2e8 + 4096.0 * (grown % 6000)


def _few(chance: np.random.Generator, daily: Rows, number: int) -> Rows:
    """Threads, descriptors, connections: small numbers that seldom change."""
    return 20.0 + np.cumsum(chance.integers(-1, 2, len(daily)) * (chance.random(len(daily)) < 0.02))


def _same(chance: np.random.Generator, daily: Rows, number: int) -> Rows:
    """What never changes, or once a minute."""
    return np.repeat(chance.integers(10_000, 11_000, len(daily) // 60) * 4096.0, 60)


def _counter(chance: np.random.Generator, daily: Rows, number: int) -> Rows:
    """Orders, requests, bytes: rises with the day."""
    return 1e6 + np.cumsum(chance.poisson(40 * daily)).astype(np.float64)


def _lateness(chance: np.random.Generator, daily: Rows, number: int) -> Rows:
    """The worst lateness of a loop in a second, in microseconds."""
    return np.round(chance.lognormal(-7.2, 0.5, len(daily)), 6)


def _disk(chance: np.random.Generator, daily: Rows, number: int) -> Rows:
    """Free bytes on a disk: falls by blocks when something is written."""
    return 5e10 - 4096.0 * np.cumsum(chance.integers(0, 60, len(daily)) * (chance.random(len(daily)) < 0.4))


def _ratio(chance: np.random.Generator, daily: Rows, number: int) -> Rows:
    """Memory or disk in use as psutil tells it: a tenth of a per cent, moving slowly."""
    return np.round(0.6 + 0.01 * np.sin(np.arange(len(daily)) / 500) + chance.normal(0, 0.0004, len(daily)), 3)


KINDS = (_busy, _load, _memory, _resident, _few, _same, _counter, _lateness, _disk, _ratio)
