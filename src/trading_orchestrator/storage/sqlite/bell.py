"""A bell that the stores of one simulated file share, so that none of them must poll."""

from __future__ import annotations

from collections.abc import Callable

from trading_orchestrator.storage.sqlite.watch import Poll


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
    """Listens to the bell: months of silence cost a simulation nothing. It asks when the bell brought no news."""

    def __init__(self, poll: Poll, bell: Bell) -> None:
        self._poll = poll
        self._bell = bell
        self._heard = 0
        self._saw: Callable[[int], None] | None = None

    def start(self, saw: Callable[[int], None]) -> None:
        if self._saw is None:
            self._saw = saw
            self._bell.listen(saw)
        if self._bell.newest > self._heard:
            self._heard = self._bell.newest
            saw(self._heard)
        elif (newest := self._poll.newest()) is not None:
            saw(newest)

    def stop(self) -> None:
        if self._saw is not None:
            self._bell.forget(self._saw)
            self._saw = None

    async def close(self) -> None:
        self.stop()
        self._poll.close()
