"""The live page for any number of viewers: one look, one rendering, and only the parts that changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

import msgspec

from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.ids import RandomBytes, system_random
from trading_orchestrator.perpetual_operations.console.frames import farewell, frame
from trading_orchestrator.perpetual_operations.console.news import News, jittered_retry_ms
from trading_orchestrator.perpetual_operations.console.overview import Overview
from trading_orchestrator.storage.ports import FactStore

AT_LEAST_EVERY_S = 1.0


class PageFeed:
    """Looks while somebody watches: at once when the journal moves, at most every `refresh_s`, at least each second.

    A viewer keeps the version it has seen; what it gets next are the parts that changed since. Nearly all
    viewers are one version behind, so the frame for a version is made once. Concurrency: one event loop.
    """

    name = "live_page"
    depends_on: Sequence[str] = ()

    def __init__(
        self,
        store: FactStore,
        clock: Clock,
        *,
        look: Callable[[], Awaitable[Overview]],
        render: Callable[[Overview], Mapping[str, str]],
        refresh_s: float,
        random_bytes: RandomBytes = system_random,
    ) -> None:
        self._store = store
        self._clock = clock
        self._look = look
        self._render = render
        self.refresh_s = refresh_s
        self._random_bytes = random_bytes
        self._parts: dict[str, tuple[int, str]] = {}
        self._meta: tuple[int, int] = (0, 0)  # position and wall time of the newest look
        self._version = 0
        self._frames: dict[int, bytes] = {}
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
        """Look while somebody watches. A journal that cannot be read is no news: the page then shows its age."""
        while True:
            await self._wanted.wait()
            try:
                self._take(await self._look())
                await self._clock.sleep(self.refresh_s)
                await self._store.wait_change(self._meta[0], AT_LEAST_EVERY_S)
            except Transient as error:
                await self._clock.sleep(error.retry_after_s or 0.5)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield updates until the viewer leaves or the console ends; the first one holds every part."""
        fresh = self._version + 1 if not self._viewers else 0  # nobody looked lately: what is kept may be old
        self._viewers += 1
        self._wanted.set()
        seen = 0
        try:
            while not self._ended:
                ring_no = self._news.ring_no
                if self._version > seen and self._version >= fresh:
                    update = self._frame_since(seen)
                    seen = self._version
                    yield update
                else:
                    await self._news.after(ring_no)
        finally:
            self._viewers -= 1
            if not self._viewers:
                self._wanted.clear()
        yield farewell(jittered_retry_ms(self._random_bytes))

    def _take(self, overview: Overview) -> None:
        self._version += 1
        for name, part in self._render(overview).items():
            text = str(part)  # a subclass of str is not JSON to msgspec
            if self._parts.get(name, (0, ""))[1] != text:
                self._parts[name] = (self._version, text)
        self._meta = (overview.pos, overview.at_ns)
        self._frames.clear()
        self._news.ring()

    def _frame_since(self, seen: int) -> bytes:
        made = self._frames.get(seen)
        if made is None:
            parts = {name: text for name, (version, text) in self._parts.items() if version > seen}
            pos, at_ns = self._meta
            data = msgspec.json.encode({"pos": pos, "at_ms": at_ns // 1_000_000, "parts": parts})
            made = self._frames[seen] = frame("page", data, pos)
        return made
