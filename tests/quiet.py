"""Chaos has the machine to itself: kills and drills are judged by what they do to real processes, and print figures.

Of the rest, as many tests work at a time as there are cores; those that mostly wait come on top.
"""

from __future__ import annotations

import fcntl
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CORES = len(os.sched_getaffinity(0))
LOOK_EVERY_S = 0.02


@contextmanager
def turn(*, alone: bool, idle: bool = False, folder: Path | None = None) -> Iterator[None]:
    """Hold the machine, alone or shared with the other workers of `pytest -n`, and with other runs.

    Who waits to have it alone keeps the door shut for those who come later, or it would wait for ever.

    Args:
        idle: the test mostly waits, so it shares the machine without a core of its own.
    """
    place = (folder or Path(tempfile.gettempdir())) / f"trading-orchestrator-tests-{os.getuid()}"
    with place.with_suffix(".door").open("w") as door, place.with_suffix(".machine").open("w") as machine:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        if alone or idle:
            yield
            return
        with _core(place):
            yield


def wait_for_lines(file: Path, count: int) -> None:
    """Return once the file has so many lines, which other processes write."""
    while count and (not file.exists() or len(file.read_text().splitlines()) < count):
        time.sleep(LOOK_EVERY_S)


@contextmanager
def _core(place: Path) -> Iterator[None]:
    """Hold a free core, whichever is free first."""
    while True:
        for number in random.sample(range(CORES), CORES):
            with place.with_suffix(f".core-{number}").open("w") as core:
                try:
                    fcntl.flock(core, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                yield
                return
        time.sleep(random.uniform(0.0, LOOK_EVERY_S))
