"""How long a message waits between two tries."""

from __future__ import annotations

FIRST_NS = 500_000_000
FACTOR = 1.5
LONGEST_NS = 60_000_000_000


def wait_ns(tries: int, retry_after_s: float | None = None) -> int:
    """Return the wait after the `tries`-th failed try (from 1), never less than the receiver asked for."""
    own_ns = LONGEST_NS if tries > 20 else min(LONGEST_NS, round(FIRST_NS * FACTOR ** (tries - 1)))
    return max(own_ns, round((retry_after_s or 0) * 1e9))
