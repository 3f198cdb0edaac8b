"""The whole system as an operator starts, kills and stops it, and how tests wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from trading_orchestrator.drills.running_system import (
    COMMAND,
    DESK,
    RunningSystem,
    free_port,
    with_suppressed_kill,
)

__all__ = ["COMMAND", "DESK", "RunningSystem", "free_port", "wait_until", "with_suppressed_kill"]
T = TypeVar("T")


def wait_until(look: Callable[[], T], *, within_s: float, what: str, every_s: float = 0.02) -> T:
    """Return the first true answer of `look`; fail naming what never came."""
    until = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"expected {what} within {within_s} s")
        time.sleep(every_s)
