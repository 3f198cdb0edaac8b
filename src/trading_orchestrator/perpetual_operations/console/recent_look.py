"""One look shared by everybody who asks at the same time: a crowd costs what one viewer costs."""

from __future__ import annotations

import asyncio

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.console.overview import Overview, OverviewReader


class RecentLook:
    """Looks anew when the last look is older than `keep_s`; who asks meanwhile waits for the same look.

    Concurrency: one event loop. A caller that gives up does not take the look away from the others.
    """

    def __init__(self, reader: OverviewReader, clock: Clock, *, trades: int, keep_s: float) -> None:
        self._reader = reader
        self._clock = clock
        self._trades = trades
        self._keep_ns = int(keep_s * 1e9)
        self._looking: asyncio.Task[Overview] | None = None
        self._began_ns = 0

    async def overview(self) -> Overview:
        """Return a look that began at most `keep_s` ago.

        Raises:
            StorageUnavailable: the journal cannot be read now; ask again.
        """
        now_ns = self._clock.monotonic_ns()
        if self._looking is None or self._is_stale(self._looking, now_ns):
            self._began_ns = now_ns
            self._looking = asyncio.create_task(self._reader.read(trades=self._trades))
        return await asyncio.shield(self._looking)

    def _is_stale(self, looking: asyncio.Task[Overview], now_ns: int) -> bool:
        """A look under way is never stale, a failed one always is."""
        if not looking.done():
            return False
        return looking.cancelled() or looking.exception() is not None or now_ns - self._began_ns > self._keep_ns
