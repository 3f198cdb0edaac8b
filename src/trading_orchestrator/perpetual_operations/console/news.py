"""A bell that many listeners wait for: each ring wakes all who wait, and nobody else."""

from __future__ import annotations

import asyncio

from trading_orchestrator.kernel.ids import RandomBytes

RETRY_FROM_MS = 300
RETRY_SPREAD_MS = 1200


class News:
    """Concurrency: one event loop. A listener reads `ring_no` before it looks, and waits for a later ring."""

    def __init__(self) -> None:
        self.ring_no = 0
        self._bell = asyncio.Event()

    def ring(self) -> None:
        """Wake everybody who waits."""
        self.ring_no += 1
        bell, self._bell = self._bell, asyncio.Event()
        bell.set()

    async def after(self, ring_no: int) -> None:
        """Return once it has rung since `ring_no`; at once if it already has."""
        if self.ring_no == ring_no:
            await self._bell.wait()


def jittered_retry_ms(random_bytes: RandomBytes) -> int:
    """Return when a viewer should come back: spread, so that a thousand of them do not come as one."""
    return RETRY_FROM_MS + int.from_bytes(random_bytes(2), "big") * RETRY_SPREAD_MS // 65536
