"""The live tail of the journal for any number of viewers: every fact is read and serialised once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence

import msgspec

from trading_orchestrator.errors import OrchestratorError, Transient
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.ids import RandomBytes, system_random
from trading_orchestrator.perpetual_operations.console.frames import fact_frame, farewell, frame
from trading_orchestrator.perpetual_operations.console.news import News, jittered_retry_ms
from trading_orchestrator.storage.ports import FactStore

PAGE = 500
KEPT = 2000
LISTEN_S = 5.0


class FactFeed:
    """A ring of serialised facts that viewers walk with a cursor of their own.

    A viewer that is behind the ring (resuming, or slow) reads the journal until it is inside, so memory is
    bounded and nothing is skipped. Without viewers nothing is read. Concurrency: one event loop.
    """

    name = "live_facts"
    depends_on: Sequence[str] = ()

    def __init__(self, store: FactStore, clock: Clock, *, random_bytes: RandomBytes = system_random) -> None:
        self._store = store
        self._clock = clock
        self._random_bytes = random_bytes
        self._ring: deque[tuple[int, bytes]] = deque(maxlen=KEPT)
        self._ring_after = 0  # every fact above this position and up to `_pos` is in the ring
        self._pos = 0
        self._viewers = 0
        self._ended = False
        self._wanted = asyncio.Event()
        self._news = News()

    def health(self) -> Health:
        return Health(HealthState.HEALTHY, f"{self._viewers} viewers")

    @property
    def viewers(self) -> int:
        """Return how many streams are open."""
        return self._viewers

    def end(self) -> None:
        """Close every stream in order; later ones are closed as soon as they open."""
        self._ended = True
        self._news.ring()

    def reopen(self) -> None:
        """Serve streams (again)."""
        self._ended = False

    async def run(self) -> None:
        """Follow the journal while somebody looks; an unreadable journal is asked again."""
        while True:
            await self._wanted.wait()
            try:
                await self._start_at_the_end()
                while self._viewers:
                    await self._follow_once()
            except Transient as error:
                await self._clock.sleep(error.retry_after_s or 0.5)

    async def stream(self, after_pos: int | None) -> AsyncIterator[bytes]:
        """Yield the events after a position (None: from now on) until the viewer leaves or the console ends."""
        self._viewers += 1
        self._wanted.set()
        try:
            end_pos = await self._end_of_journal()
            cursor = end_pos if after_pos is None else min(after_pos, end_pos)  # a restored journal may end earlier
            yield frame("hello", b'{"pos":%d}' % cursor, cursor)
            async for chunk in self._chunks(cursor):
                yield chunk
        except OrchestratorError as error:
            yield frame("problem", msgspec.json.encode({"code": error.code, "detail": error.message}))
        finally:
            self._viewers -= 1
            if not self._viewers:
                self._wanted.clear()
        yield farewell(jittered_retry_ms(self._random_bytes))

    async def _chunks(self, cursor: int) -> AsyncIterator[bytes]:
        woken = False
        while not self._ended:
            ring_no = self._news.ring_no
            cursor, chunk = await self._next(cursor)
            if chunk or woken:
                yield chunk or frame("beat", b'{"pos":%d}' % self._pos)
            woken = not chunk
            if not chunk:
                await self._news.after(ring_no)

    async def _next(self, cursor: int) -> tuple[int, bytes]:
        """Return what comes right after the cursor and the cursor behind it; b"" when there is nothing yet."""
        if cursor < self._ring_after:
            facts = await self._store.read(after_pos=cursor, limit=PAGE)
            if facts:
                return facts[-1].pos, b"".join(map(fact_frame, facts))
        fresh: list[bytes] = []
        for pos, data in reversed(self._ring):
            if pos <= cursor:
                break
            fresh.append(data)
        if not fresh:
            return cursor, b""
        return self._ring[-1][0], b"".join(reversed(fresh))

    async def _start_at_the_end(self) -> None:
        self._ring.clear()
        self._pos = self._ring_after = await self._end_of_journal()
        self._news.ring()

    async def _follow_once(self) -> None:
        if await self._store.wait_change(self._pos, LISTEN_S) > self._pos:
            for fact in await self._store.read(after_pos=self._pos, limit=PAGE):
                self._keep(fact.pos, fact_frame(fact))
        self._news.ring()

    def _keep(self, pos: int, data: bytes) -> None:
        if len(self._ring) == KEPT:
            self._ring_after = self._ring[0][0]
        self._ring.append((pos, data))
        self._pos = pos

    async def _end_of_journal(self) -> int:
        return max((head.pos for head in await self._store.heads()), default=0)
