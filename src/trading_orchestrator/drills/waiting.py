"""Waiting in real time for something that must happen, and the error when it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from trading_orchestrator.errors import Broken
from trading_orchestrator.kernel.clock import Stopwatch

T = TypeVar("T")


class DrillFailed(Broken):
    """What a drill needs did not happen: the sentence says what."""

    code = "drill.failed"


def wait_until(look: Callable[[], T | None], *, within_s: float, what: str, every_s: float = 0.02) -> T:
    """Return the first true answer of `look`.

    Raises:
        DrillFailed: it never came.
    """
    watch = Stopwatch()
    while True:
        found = look()
        if found:
            return found
        if watch.elapsed_s() > within_s:
            raise DrillFailed(f"expected {what} within {within_s:g} s")
        watch.pause(every_s)
