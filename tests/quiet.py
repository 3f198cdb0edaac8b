"""Chaos has the machine to itself: kills and drills are judged by what they do to real processes, and print figures."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn(*, alone: bool, folder: Path | None = None) -> Iterator[None]:
    """Hold the machine, alone or shared with the other workers of `pytest -n`, and with other runs.

    Who waits to have it alone keeps the door shut for those who come later, or it would wait for ever.
    """
    place = (folder or Path(tempfile.gettempdir())) / f"trading-orchestrator-tests-{os.getuid()}"
    with place.with_suffix(".door").open("w") as door, place.with_suffix(".machine").open("w") as machine:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield
