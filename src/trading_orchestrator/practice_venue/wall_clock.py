"""The venue's own wall clock; the one place of the venue that reads the time of day."""

import time


def read_ms() -> int:
    """Return milliseconds since the Unix epoch by this process's wall clock."""
    return time.time_ns() // 1_000_000
