"""Chaos has the machine to itself: kills and drills are judged by what they do to real processes, and print figures.

Of the rest, as many tests work at a time as there are cores; those that mostly wait come on top.
"""

from __future__ import annotations

import fcntl
import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CORES = len(os.sched_getaffinity(0))


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


@contextmanager
def _core(place: Path) -> Iterator[None]:
    """Hold a free core; with none free, one at random: the kernel hands it on in the order of asking."""
    for number in random.sample(range(CORES), CORES):
        with place.with_suffix(f".core-{number}").open("w") as core:
            try:
                fcntl.flock(core, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield
            return
    with place.with_suffix(f".core-{random.randrange(CORES)}").open("w") as core:
        fcntl.flock(core, fcntl.LOCK_EX)
        yield
