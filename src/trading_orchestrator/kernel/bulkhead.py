"""A bulkhead: so many at once and so many waiting, so that one slow dependency cannot drown the rest."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Self

from trading_orchestrator.errors import Transient


class BulkheadFull(Transient):
    """Too many are at it already. Facts: bulkhead, at_once, waiting."""

    code = "bulkhead.full"


class Bulkhead:
    """At most `at_once` inside the block, first come first served. Use from one event loop.

    >>> async with reports:
    ...     await render()
    """

    def __init__(self, name: str, *, at_once: int, waiting_max: int) -> None:
        self.name = name
        self.refused_total = 0
        self._at_once = at_once
        self._waiting_max = waiting_max
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def inside(self) -> int:
        return self._inside

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def __aenter__(self) -> Self:
        if self._inside < self._at_once and not self._waiting:
            self._inside += 1
            return self
        if len(self._waiting) >= self._waiting_max:
            self.refused_total += 1
            raise BulkheadFull(
                f"{self.name}: {self._inside} at it and {len(self._waiting)} waiting, which is all it takes",
                bulkhead=self.name,
                at_once=self._at_once,
                waiting=len(self._waiting),
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn  # whoever leaves passes its place on: `_inside` stays
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._inside -= 1
