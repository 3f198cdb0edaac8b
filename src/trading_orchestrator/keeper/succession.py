"""Who may claim a lease, and when: released, expired, or its holder proved dead."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from trading_orchestrator.journal.leases import HeldLease, LeaseKeeper
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.storage.ports import FactStore, LeaseHeld, LeaseRow, StorageUnavailable

log = logging.getLogger(__name__)
LOOK_EVERY_S, LOOK_AGAIN_S = 0.03, 0.5


class Deaths(Protocol):
    """Proof of death, by the lock on a node's incarnation file."""

    def is_dead(self, node: str) -> bool:
        """Return whether the process is proved gone, now."""
        ...

    def lives(self, node: str) -> bool:
        """Return whether the process is proved to live, now."""
        ...

    async def wait_death(self, node: str) -> None:
        """Return when the process is proved gone."""
        ...

    def shoot(self, node: str) -> None:
        """Kill a process whose lease ran out while it keeps the journal locked."""
        ...


class Heirs:
    """Waits for a lease and claims it the moment that is lawful.

    may_claim: the node's own policy, e.g. a node that trades leaves the console to an idle one.
    """

    def __init__(
        self,
        store: FactStore,
        leases: LeaseKeeper,
        deaths: Deaths,
        *,
        clock: Clock,
        boot_id: str,
        may_claim: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._store = store
        self._leases = leases
        self._deaths = deaths
        self._clock = clock
        self._boot_id = boot_id
        self._may_claim = may_claim

    async def obtain(self, lease: str, *, standing_by: Callable[[], None]) -> tuple[HeldLease, Succession]:
        """Return the lease once it is ours. `standing_by` is called when somebody living holds it."""
        while True:
            pos = await self._head()
            row = await self._row(lease)
            how = self._claimable(row)
            if how is not None and await self._may_claim(lease):
                with contextlib.suppress(LeaseHeld):  # another heir was faster
                    return await self._claim(lease, how, row), how
            standing_by()
            await self._wait(row if how is None else None, pos)

    async def _claim(self, lease: str, how: Succession, row: LeaseRow | None) -> HeldLease:
        try:
            return await self._leases.claim(lease, predecessor_dead=how is Succession.PROVED_DEATH)
        except StorageUnavailable:
            if how is Succession.EXPIRED and row is not None:
                log.error("%s ran out and %s keeps the journal locked: ending that process", lease, row.holder)
                self._deaths.shoot(row.holder)
            raise

    async def _row(self, lease: str) -> LeaseRow | None:
        return next((row for row in await self._store.leases() if row.name == lease), None)

    def _claimable(self, row: LeaseRow | None) -> Succession | None:
        if row is None:
            return Succession.FIRST
        if row.expires_ns == 0:
            return Succession.HANDED_OVER
        if self._deaths.is_dead(row.holder):
            return Succession.PROVED_DEATH
        expired = row.boot_id != self._boot_id or self._clock.boot_ns() >= row.expires_ns
        return Succession.EXPIRED if expired else None

    async def _wait(self, row: LeaseRow | None, pos: int) -> None:
        """Sleep until the holder dies, the lease may have expired, or somebody wrote to the journal."""
        waits: list[asyncio.Future[None]] = [
            asyncio.ensure_future(self._changed(pos)),
            asyncio.ensure_future(self._clock.sleep(LOOK_AGAIN_S)),
        ]
        if row is not None:
            waits.append(asyncio.ensure_future(self._deaths.wait_death(row.holder)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _changed(self, pos: int) -> None:
        """A busy desk writes hundreds of facts a second, and few of them are about leases."""
        await self._clock.sleep(LOOK_EVERY_S)
        await self._store.wait_change(pos, LOOK_AGAIN_S)

    async def _head(self) -> int:
        return max((head.pos for head in await self._store.heads()), default=0)
