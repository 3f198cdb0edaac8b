"""How fast the disk is today: every durable figure is quoted beside it."""

from __future__ import annotations

import os
import time
from pathlib import Path

MEASURE_S = 1.0


def fsyncs_per_s(folder: Path) -> float:
    """Return how many 4 KiB appends with fdatasync the folder's disk takes per second."""
    path = folder / "fsync.probe"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    block, count, began = b"x" * 4096, 0, time.monotonic()
    try:
        while time.monotonic() - began < MEASURE_S:
            os.write(descriptor, block)
            os.fdatasync(descriptor)
            count += 1
    finally:
        os.close(descriptor)
        path.unlink()
    return count / (time.monotonic() - began)
