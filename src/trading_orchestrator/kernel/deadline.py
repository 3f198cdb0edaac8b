"""One deadline for a whole piece of work, handed down, so that no part of it waits longer than the whole may take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.clock import Clock

T = TypeVar("T")


class DeadlinePassed(Transient):
    """The time for it is over. Facts: what, after_s."""

    code = "deadline.passed"


class Deadline:
    """A point in monotonic time. Make it where the work begins, and pass it on."""

    def __init__(self, clock: Clock, seconds: float, *, what: str = "it") -> None:
        self._clock = clock
        self._what = what
        self._seconds = seconds
        self._at_ns = clock.monotonic_ns() + int(seconds * 1e9)

    def left_s(self) -> float:
        """Return the seconds that are left, never below 0."""
        return max(0.0, (self._at_ns - self._clock.monotonic_ns()) / 1e9)

    def within(self, seconds: float) -> Deadline:
        """Return a nearer deadline for a part of the work; it never ends after the whole."""
        return Deadline(self._clock, min(seconds, self.left_s()), what=self._what)

    async def run(self, work: Awaitable[T]) -> T:
        """Return what `work` returns.

        Raises:
            DeadlinePassed: it did not end in time, and was cancelled. Whether it happened, only asking tells.
        """
        working = asyncio.ensure_future(work)
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake(_: object = None) -> None:
            if not over.done():
                over.set_result(None)

        working.add_done_callback(wake)
        timer = self._clock.call_later(self.left_s(), wake)
        try:
            await over  # not `working`: foreign code may be slow to end when it is cancelled
            if working.done():
                return working.result()
            raise DeadlinePassed(
                f"{self._what} did not end within {self._seconds:g} s", what=self._what, after_s=self._seconds
            )
        finally:
            working.cancel()
            timer.cancel()
