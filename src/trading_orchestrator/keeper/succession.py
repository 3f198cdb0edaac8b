"""Who may claim a lease, and when: released, expired, or its holder proved dead."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol

from trading_orchestrator.journal.incarnation import LastWords
from trading_orchestrator.journal.leases import HeldLease, LeaseKeeper
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.storage.ports import FactStore, LeaseHeld, LeaseRow, StorageLocked

log = logging.getLogger(__name__)
LOOK_EVERY_S, LOOK_AGAIN_S = 0.03, 0.5
HUNG_S = 1.0
"""A loop without a sign of life for so long did not die while it turned: it was ended because it hung."""
NOTED_WITHIN_S, NOTED_EVERY_S = 0.25, 0.005
"""The keeper hears of a death when we do, and notes how it came about; without a keeper nobody does."""


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
        """Kill a process whose lease ran out, if it is that one which keeps the journal locked."""
        ...

    def words_of(self, node: str) -> LastWords | None:
        """Return what the node's incarnation file says, alive or dead."""
        ...


class Won(NamedTuple):
    """A lease, how it came to us, and the strategy in which its last holder hung or crashed, "" when it did not."""

    held: HeldLease
    succession: Succession
    hung_in: str = ""


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

    async def obtain(self, lease: str, *, standing_by: Callable[[], None]) -> Won:
        """Return the lease once it is ours. `standing_by` is called when somebody living holds it."""
        seen_alive = ""
        pos = await self._head()
        while True:
            row = await self._row(lease)
            how = self._claimable(row)
            if how is not None and await self._may_claim(lease):
                with contextlib.suppress(LeaseHeld):  # another heir was faster
                    words = self._deaths.words_of(row.holder) if row is not None else None
                    held = await self._claim(lease, how, row)
                    if words is None or how is not Succession.PROVED_DEATH:
                        return Won(held, how)
                    try:
                        return Won(held, how, await self._ended_in(words, seen_alive))
                    except BaseException:  # nobody would act under it, and we would go on renewing it
                        await held.release()
                        raise
            standing_by()
            seen_alive = row.holder if how is None and row is not None else ""
            pos = await self._wait(row if how is None else None, pos)

    async def _claim(self, lease: str, how: Succession, row: LeaseRow | None) -> HeldLease:
        try:
            dead = row.holder if row is not None and how is Succession.PROVED_DEATH else ""
            return await self._leases.claim(lease, dead_holder=dead)
        except StorageLocked:
            if how is Succession.EXPIRED and row is not None and row.holder != self._leases.holder:
                log.error("%s of %s ran out, and the journal is locked", lease, row.holder)
                self._deaths.shoot(row.holder)
            raise

    async def _ended_in(self, words: LastWords, seen_alive: str) -> str:
        """Return the strategy that was at work when the holder hung or crashed, as its file and its keeper tell."""
        at_work, node = words.now_running, words.node
        if not at_work:
            return ""
        silent_s = (self._clock.boot_ns() - words.heartbeat_boot_ns) / 1e9
        for _ in range(round(NOTED_WITHIN_S / NOTED_EVERY_S)):
            noted = self._deaths.words_of(node)
            if noted is not None and noted.ending is not None:
                return at_work if noted.ending.by_itself else ""
            await self._clock.sleep(NOTED_EVERY_S)
        # Nobody noted it: only of a death that we waited for can be said when it was, so blame nobody for an old one.
        return at_work if node == seen_alive and silent_s >= HUNG_S else ""

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

    async def _wait(self, row: LeaseRow | None, pos: int) -> int:
        """Sleep until the holder dies, the lease may have expired, or somebody wrote to the journal.

        Returns the position up to which the journal was heard of.
        """
        changed = asyncio.ensure_future(self._changed(pos))
        waits: list[asyncio.Future[Any]] = [changed]
        if row is not None:
            waits.append(asyncio.ensure_future(self._deaths.wait_death(row.holder)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return changed.result() if changed.done() else pos
        finally:
            for wait in waits:
                wait.cancel()

    async def _changed(self, pos: int) -> int:
        """A busy desk writes hundreds of facts a second, and few of them are about leases."""
        await self._clock.sleep(LOOK_EVERY_S)
        return await self._store.wait_change(pos, LOOK_AGAIN_S)

    async def _head(self) -> int:
        return max((head.pos for head in await self._store.heads()), default=0)
