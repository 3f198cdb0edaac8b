"""One tenancy's place on a node: it waits for the lease, acts under it, hands it on, waits again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from trading_orchestrator.errors import Refused, Transient
from trading_orchestrator.journal.leases import HeldLease
from trading_orchestrator.keeper.backoff import Backoff
from trading_orchestrator.keeper.cluster import Move
from trading_orchestrator.keeper.succession import Heirs
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.tenancy import Succession, Tenancy

log = logging.getLogger(__name__)
FAILED_ALONE_S = 1.0


@dataclass(frozen=True)
class HeldSeat:
    """A held lease and how it came to us (kernel.tenancy.Seat)."""

    held: HeldLease
    succession: Succession
    hung_in: str = ""

    @property
    def lease(self) -> str:
        return self.held.lease

    @property
    def epoch(self) -> int:
        return self.held.epoch

    def may_act(self) -> bool:
        return self.held.may_act()


@dataclass
class Place:
    """Where one tenancy lives on this node. One task runs `occupy`; the node asks for `hand_over`.

    may_fail_alone: its failure does not end the node (the console); a desk's does, and a fresh process takes over.
    tried: set once its first start has ended, either way; READY and the places behind it wait for that and no longer.
    settled: set once the node either acts or stands by, warm: from then on it can take over.
    taking_since_ns: since when (Clock.monotonic_ns) it tries to act, however often; None when it acts or stands by.
    """

    tenancy: Tenancy
    heirs: Heirs
    clock: Clock
    leave_deadline_s: float
    said: Callable[[Move, HeldSeat, float], Awaitable[None]]
    may_fail_alone: bool = False
    tried: asyncio.Event = field(default_factory=asyncio.Event)
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    seat: HeldSeat | None = None
    taking_since_ns: int | None = None
    _leave: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def lease(self) -> str:
        return self.tenancy.lease

    def hand_over(self) -> None:
        """Ask to leave in order and give the lease up; returns at once."""
        self._leave.set()

    async def occupy(self) -> None:
        """Warm, wait, act, leave: until cancelled. A start that fails gives the lease back and tries again.

        One that is refused before the first could ever have worked ends the node: its sentence is for whoever started
        it. One that is refused at a takeover does not: a fresh process would hear the same, and this one serves on.
        """
        backoff = Backoff(cap_s=10.0)
        while True:
            try:
                await self._once()
                backoff.succeeded()
            except (Transient, Refused) as error:
                if isinstance(error, Refused) and not self.settled.is_set():
                    raise
                wait_s = max(backoff.next_s(), getattr(error, "retry_after_s", None) or 0.0)
                log.warning("%s could not start (%s); trying again in %.2f s", self.lease, error, wait_s)
                self.tenancy.held_up(error.message)
                self.tried.set()
                await self.clock.sleep(wait_s)
            except Exception:  # a page that fails must not end the node that trades
                if not self.may_fail_alone:
                    raise
                wait_s = max(FAILED_ALONE_S, backoff.next_s())
                log.exception("%s failed; the node goes on without it and tries again in %.2f s", self.lease, wait_s)
                self._settle()
                await self.clock.sleep(wait_s)

    def _settle(self) -> None:
        self.tenancy.held_up("")
        self.taking_since_ns = None
        self.settled.set()
        self.tried.set()

    async def _once(self) -> None:
        await self.tenancy.warm()
        held, succession, hung_in = await self.heirs.obtain(self.lease, standing_by=self._settle)
        seat = HeldSeat(held, succession, hung_in)
        began_ns = self.clock.monotonic_ns()
        self._leave.clear()
        try:
            await self.tenancy.take(seat)
        except BaseException:  # a cancellation too: the lease must not outlive a tenancy that did not begin
            await self.tenancy.leave(0)
            await held.release()
            raise
        self.seat = seat
        self._settle()
        took_ms = (self.clock.monotonic_ns() - began_ns) / 1e6
        log.info("%s taken (%s, epoch %d) in %.0f ms", self.lease, succession.value, seat.epoch, took_ms)
        await self.said("claimed", seat, took_ms)
        await self._until_over(seat)

    async def _until_over(self, seat: HeldSeat) -> None:
        """Act until the lease is lost or we are asked to leave; a cancelled place leaves in order too."""
        lost = asyncio.ensure_future(seat.held.lost.wait())
        asked = asyncio.ensure_future(self._leave.wait())
        try:
            await asyncio.wait((lost, asked), return_when=asyncio.FIRST_COMPLETED)
        finally:
            was_lost = lost.done()
            lost.cancel()
            asked.cancel()
            self.seat = None
            await self._end(seat, was_lost)

    async def _end(self, seat: HeldSeat, was_lost: bool) -> None:
        if was_lost:
            log.warning("%s lost at epoch %d: no further act", self.lease, seat.epoch)
            await self.tenancy.leave(0)
            await self.said("lost", seat, 0.0)
            return
        began_ns = self.clock.monotonic_ns()
        await self.tenancy.leave(self.leave_deadline_s)
        await seat.held.release()
        await self.said("released", seat, (self.clock.monotonic_ns() - began_ns) / 1e6)
