"""Waits between restarts: none after a proven start, then doubling to a cap."""

from __future__ import annotations


class Backoff:
    """0, 0.25, 0.5, 1 … cap seconds; back to 0 after `succeeded`."""

    def __init__(self, cap_s: float, *, first_s: float = 0.25) -> None:
        self._cap_s = cap_s
        self._first_s = first_s
        self.failures = 0

    def next_s(self) -> float:
        """Return the wait before the next start and count it."""
        wait_s = 0.0 if self.failures == 0 else min(self._cap_s, self._first_s * 2.0 ** (self.failures - 1))
        self.failures += 1
        return wait_s

    def succeeded(self) -> None:
        self.failures = 0
