"""A bell that the stores of one simulated file share, so that none of them must poll."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context

from trading_orchestrator.kernel.clock import Clock, Timer
from trading_orchestrator.storage.sqlite.watch import POLL_S, Poll


class Bell:
    """Rung by each commit of the stores that share it: all stores of one simulated file, so that none must poll."""

    def __init__(self) -> None:
        self._hear: list[Callable[[int], None]] = []
        self.newest = 0

    def ring(self, pos: int) -> None:
        """Tell every waiting store that a fact stands at `pos`."""
        self.newest = max(self.newest, pos)
        for hear in list(self._hear):
            hear(pos)

    def begin_anew(self) -> None:
        """Another file is in this one's place: what was rung says nothing of it."""
        self.newest = 0

    def listen(self, hear: Callable[[int], None]) -> None:
        self._hear.append(hear)

    def forget(self, hear: Callable[[int], None]) -> None:
        self._hear.remove(hear)


class BellPoller:
    """Listens to the bell: months of silence cost a simulation nothing. It asks when the bell brought no news.

    What rings reaches a waiter as late as a poll may find it, and in the waiter's own process.
    """

    def __init__(self, poll: Poll, bell: Bell, clock: Clock) -> None:
        self._poll = poll
        self._bell = bell
        self._clock = clock
        self._heard = 0
        self._saw: Callable[[int], None] | None = None
        self._own: Context = copy_context()
        self._timer: Timer | None = None

    def start(self, saw: Callable[[int], None]) -> None:
        if self._saw is None:
            self._saw, self._own = saw, copy_context()
            self._bell.listen(self._rung)
        if self._bell.newest > self._heard:
            self._heard = self._bell.newest
            saw(self._heard)
        elif (newest := self._poll.newest()) is not None:
            saw(newest)

    def stop(self) -> None:
        if self._saw is not None:
            self._bell.forget(self._rung)
            self._saw = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def close(self) -> None:
        self.stop()
        self._poll.close()

    def _rung(self, pos: int) -> None:
        if self._timer is None:
            self._timer = self._own.run(self._clock.call_later, POLL_S, self._tell)

    def _tell(self) -> None:
        self._timer = None
        if self._saw is not None:
            self._heard = self._bell.newest
            self._saw(self._heard)
