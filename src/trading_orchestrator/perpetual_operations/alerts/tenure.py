"""The right to tell of alerts: one holder of the lease `ops/alerts` at a time, in a node or in any other program."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

import msgspec

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.journal.leases import TTL_S, HeldLease, LeaseKeeper
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.storage.ports import FactStore, LeaseHeld, LeaseRow, NewFact

log = logging.getLogger(__name__)
LEASE = "ops/alerts"
LOOK_EVERY_S = 0.25


class LeaseMove(msgspec.Struct, frozen=True):
    """The body of lease.claimed and lease.released, as nodes write it (stream `cluster`)."""

    lease: str
    epoch: int
    succession: str = ""
    took_ms: float = 0.0


class Tenure:
    """Waits for the lease and claims it the moment that is lawful. One event loop.

    Args:
        holder: unlike that of every other process, so that none takes another's lease for its own.
        is_dead: whether a holder is proved to be gone; without proof the lease has to run out.
    """

    def __init__(
        self,
        store: FactStore,
        clock: Clock,
        *,
        holder: str,
        boot_id: str,
        is_dead: Callable[[str], bool] = lambda holder: False,
        ttl_s: float = TTL_S,
    ) -> None:
        self.holder = holder
        self._store = store
        self._clock = clock
        self._boot_id = boot_id
        self._is_dead = is_dead
        self._leases = LeaseKeeper(store, clock, holder=holder, ttl_s=ttl_s)
        self.held_by = ""

    async def obtain(self) -> HeldLease:
        """Return the lease once it is ours."""
        while True:
            row = await self._row()
            how = self._claimable(row)
            if how is not None:
                dead = row.holder if row is not None and how == "proved_death" else ""
                with suppress(LeaseHeld):  # another was faster
                    held = await self._leases.claim(LEASE, dead_holder=dead)
                    await self._say("claimed", LeaseMove(LEASE, held.epoch, how))
                    self.held_by = self.holder
                    return held
            self.held_by = row.holder if row is not None else ""
            await self._clock.sleep(LOOK_EVERY_S)

    async def give_back(self, held: HeldLease) -> None:
        """Release it, so that the next holder need not wait; a store that is gone lets it run out."""
        self.held_by = ""
        try:
            await held.release()
            await self._say("lost" if held.lost.is_set() else "released", LeaseMove(LEASE, held.epoch))
        except OrchestratorError as error:  # raised here, it would hide why we leave
            log.warning("lease %s runs out by itself: %s", LEASE, error.message)

    async def _row(self) -> LeaseRow | None:
        return next((row for row in await self._store.leases() if row.name == LEASE), None)

    def _claimable(self, row: LeaseRow | None) -> str | None:
        if row is None:
            return "first"
        if row.expires_ns == 0:
            return "handed_over"
        if self._is_dead(row.holder):
            return "proved_death"
        expired = row.boot_id != self._boot_id or self._clock.boot_ns() >= row.expires_ns
        return "expired" if expired else None

    async def _say(self, move: str, body: LeaseMove) -> None:
        await self._store.append([NewFact("cluster", f"lease.{move}", body)], node=self.holder, fence=None)
