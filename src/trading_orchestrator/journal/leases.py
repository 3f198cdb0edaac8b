"""Leases held by this node: claimed, renewed on its own loop, and not acted upon when renewals fail."""

from __future__ import annotations

import asyncio
import logging

from trading_orchestrator.errors import Broken, Transient, Unknown
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.storage.ports import FactStore, Fence, LeaseRow, StaleEpoch

TTL_S = 3.0

log = logging.getLogger(__name__)


class HeldLease:
    """One lease, as long as it is ours.

    Law: act only while `may_act()`; it ends at three quarters of the TTL after the last confirmed renewal was
    *written*, as its row tells all, by the clock since boot, so a node that was stopped or whose disk hangs knows
    it on its first instruction. What a renewal waited for the journal's lock is not counted. One that comes through
    later revives it: the epoch proves that nobody acted meanwhile.
    When the whole TTL has passed, or another holder is seen, `lost` is set for good.

    Renewal runs as tasks on the caller's event loop, never on a thread: a blocked loop must stop renewing.
    """

    def __init__(self, store: FactStore, clock: Clock, row: LeaseRow, *, ttl_s: float) -> None:
        self.lease = row.name
        self.holder = row.holder
        self.epoch = row.epoch
        self.lost = asyncio.Event()
        self.lost_because = ""
        self._store = store
        self._clock = clock
        self._ttl_s = ttl_s
        self._ttl_ns = int(ttl_s * 1e9)
        self._expires_ns = row.expires_ns
        self._released = False
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._renew(), name=f"renew {self.lease}"),
            loop.create_task(self._watch_expiry(), name=f"watch {self.lease}"),
        ]

    @property
    def fence(self) -> Fence:
        """Return what an append names to be refused once somebody else has claimed."""
        return Fence(self.lease, self.epoch)

    @property
    def deadline_ns(self) -> int:
        """Return the instant (Clock.boot_ns) after which nothing may be sent under this lease."""
        return self._expires_ns - self._ttl_ns // 4

    def may_act(self) -> bool:
        """Return whether acting on the world is lawful at this instant."""
        return not self._released and not self.lost.is_set() and self._clock.boot_ns() < self.deadline_ns

    async def release(self) -> None:
        """Stop acting, then give the lease up, so that a successor need not wait. A lost lease stays lost.

        Raises:
            Transient, Unknown: the row may still name us; it runs out by itself within the TTL.
        """
        self._released = True
        await self._end_tasks()
        if not self.lost.is_set():
            await self._store.release_lease(self.lease, holder=self.holder, epoch=self.epoch)

    async def abandon(self) -> None:
        """Stop acting and renewing without a word to the store: what a crash would do."""
        self._released = True
        await self._end_tasks()

    async def _renew(self) -> None:
        due_ns = self._expires_ns - self._ttl_ns * 2 // 3
        while True:
            await self._clock.sleep(max(due_ns - self._clock.boot_ns(), 0) / 1e9)
            asked_ns = self._clock.boot_ns()
            try:
                row = await self._store.renew_lease(self.lease, holder=self.holder, epoch=self.epoch, ttl_s=self._ttl_s)
            except (StaleEpoch, Broken) as error:
                self._lose(error.message)
                return
            except (Transient, Unknown) as error:
                log.warning("lease %s: renewal failed, trying again: %s", self.lease, error)
                due_ns = asked_ns + self._ttl_ns // 12
                continue
            self._expires_ns = row.expires_ns
            due_ns = self._expires_ns - self._ttl_ns * 2 // 3

    async def _watch_expiry(self) -> None:
        """A task of its own, because a renewal may hang for longer than the lease lives."""
        while (rest_ns := self._expires_ns - self._clock.boot_ns()) > 0:
            await self._clock.sleep(rest_ns / 1e9)
        self._lose(f"not renewed within {self._ttl_s} s")

    def _lose(self, because: str) -> None:
        if not self.lost.is_set():
            log.warning("lease %s with epoch %d lost: %s", self.lease, self.epoch, because)
            self.lost_because = because
            self.lost.set()
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class LeaseKeeper:
    """Claims leases in one holder's name.

    holder: the node's name. Give every incarnation a name of its own, or one incarnation could not tell its
    predecessor's lease from its own.
    """

    def __init__(self, store: FactStore, clock: Clock, *, holder: str, ttl_s: float = TTL_S) -> None:
        self._store = store
        self._clock = clock
        self.holder = holder
        self.ttl_s = ttl_s

    async def claim(self, lease: str, *, dead_holder: str = "") -> HeldLease:
        """Take the lease and keep it renewed until it is released or lost.

        Args:
            dead_holder: whose process is proved gone (its incarnation lock was free); another's lease stays his.

        Raises:
            LeaseHeld: another holder's lease is unexpired.
            StorageUnavailable, CommitUnknown: claim again; a claim that did land only raised the epoch.
        """
        row = await self._store.claim_lease(lease, holder=self.holder, ttl_s=self.ttl_s, dead_holder=dead_holder)
        return HeldLease(self._store, self._clock, row, ttl_s=self.ttl_s)
