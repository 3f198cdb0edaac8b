"""Who holds a lease stops acting at three quarters of its TTL after the last confirmed renewal was written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.journal.leases import HeldLease, LeaseKeeper
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.storage.ports import CommitUnknown, FactStore, Fence, LeaseRow, StaleEpoch, StorageUnavailable


class Leases:
    """The lease calls of a store, scripted: `answer` is called for each renewal and may raise or wait."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.renewed_at_s: list[float] = []
        self.released = False
        self.waits_s = self.takes_s = 0.0
        """How long the journal's lock is waited for before the row is written, and its commit after that."""
        self.fails: Callable[[], OrchestratorError | None] = lambda: None

    async def claim_lease(self, name: str, *, holder: str, ttl_s: float, dead_holder: str = "") -> LeaseRow:
        return await self._written(name, holder, 5, ttl_s)

    async def renew_lease(self, name: str, *, holder: str, epoch: int, ttl_s: float) -> LeaseRow:
        self.renewed_at_s.append(self.clock.boot_ns() / 1e9)
        row = await self._written(name, holder, epoch, ttl_s)
        if error := self.fails():
            raise error
        return row

    async def _written(self, name: str, holder: str, epoch: int, ttl_s: float) -> LeaseRow:
        if self.waits_s:
            await self.clock.sleep(self.waits_s)
        row = LeaseRow(name, holder, epoch, self.clock.boot_ns() + int(ttl_s * 1e9), "boot")
        if self.takes_s:
            await self.clock.sleep(self.takes_s)
        return row

    async def release_lease(self, name: str, *, holder: str, epoch: int) -> None:
        self.released = True


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(boot_ns=0)


@pytest.fixture
def leases(clock: VirtualClock) -> Leases:
    return Leases(clock)


@pytest.fixture
async def held(clock: VirtualClock, leases: Leases) -> AsyncIterator[HeldLease]:
    """A lease claimed at 0 s with a TTL of 3 s."""
    held = await LeaseKeeper(cast(FactStore, leases), clock, holder="n1").claim("desk/paper")
    yield held
    await held.abandon()


async def test_it_is_renewed_at_each_third_of_the_ttl(held: HeldLease, leases: Leases, clock: VirtualClock) -> None:
    await clock.advance(10.0)

    assert [float(second) for second in range(1, 11)] == leases.renewed_at_s
    assert held.may_act()
    assert not held.lost.is_set()


async def test_without_renewals_it_acts_for_three_quarters_and_is_lost_at_the_end(
    held: HeldLease, leases: Leases, clock: VirtualClock
) -> None:
    leases.fails = lambda: StorageUnavailable("the disk is full")
    await clock.advance(2.24)
    assert held.may_act()

    await clock.advance(0.01)
    assert (False, False) == (held.may_act(), held.lost.is_set())

    await clock.advance(0.75)
    assert (True, "not renewed within 3.0 s") == (held.lost.is_set(), held.lost_because)


async def test_a_renewal_that_comes_through_at_last_revives_it(
    held: HeldLease, leases: Leases, clock: VirtualClock
) -> None:
    leases.fails = lambda: CommitUnknown("no answer") if clock.boot_ns() < 2_600_000_000 else None
    await clock.advance(2.5)
    assert not held.may_act()

    await clock.advance(0.3)

    assert held.may_act()
    assert not held.lost.is_set()


async def test_the_deadline_counts_from_when_a_renewal_was_written(
    held: HeldLease, leases: Leases, clock: VirtualClock
) -> None:
    leases.waits_s, leases.takes_s = 0.3, 0.9
    await clock.advance(2.2)

    assert [1.0] == leases.renewed_at_s[:1]
    assert 1_300_000_000 + 2_250_000_000 == held.deadline_ns


async def test_a_claim_that_waited_for_the_journal_is_a_whole_ttl_long(leases: Leases, clock: VirtualClock) -> None:
    """Its predecessor was stopped inside a transaction, so the lock came only after its death."""
    leases.waits_s = 3.5
    claiming = asyncio.create_task(LeaseKeeper(cast(FactStore, leases), clock, holder="n1").claim("desk/paper"))
    await clock.advance(3.5)
    held = await claiming
    leases.waits_s = 0.0

    await clock.advance(5.0)

    assert held.may_act()
    await held.abandon()


async def test_a_renewal_that_never_returns_does_not_keep_it(
    held: HeldLease, leases: Leases, clock: VirtualClock
) -> None:
    leases.takes_s = 1e6
    await clock.advance(3.0)

    assert held.lost.is_set()
    assert not held.may_act()


async def test_another_holder_ends_it_for_good(held: HeldLease, leases: Leases, clock: VirtualClock) -> None:
    leases.fails = lambda: StaleEpoch("another holder", lease="desk/paper", epoch=5, found=6)
    await clock.advance(1.0)
    leases.fails = lambda: None
    await clock.advance(5.0)

    assert (True, "another holder", False) == (held.lost.is_set(), held.lost_because, held.may_act())
    assert [1.0] == leases.renewed_at_s


class StoppedClock(VirtualClock):
    """The clock that a process finds after SIGCONT: time has gone on, and none of its tasks has run."""

    def boot_ns(self) -> int:
        return super().boot_ns() + self.away_ns

    away_ns = 0


async def test_after_sigcont_the_first_look_at_the_clock_forbids_acting() -> None:
    clock = StoppedClock(boot_ns=0)
    held = await LeaseKeeper(cast(FactStore, Leases(clock)), clock, holder="n1").claim("desk/paper")
    assert held.may_act()

    clock.away_ns = 60_000_000_000

    assert not held.may_act()
    await held.abandon()


async def test_a_release_stops_acting_before_the_store_hears_of_it(held: HeldLease, leases: Leases) -> None:
    releasing = asyncio.create_task(held.release())
    await asyncio.sleep(0)
    assert (False, False) == (held.may_act(), leases.released)

    await releasing
    assert leases.released


async def test_a_lost_lease_is_not_released(held: HeldLease, leases: Leases, clock: VirtualClock) -> None:
    """A release would tell a successor that nothing of ours is under way, and that is not known."""
    leases.fails = lambda: StorageUnavailable("the disk is full")
    await clock.advance(3.0)
    await held.release()

    assert not leases.released


async def test_its_fence_names_lease_and_epoch(held: HeldLease) -> None:
    assert Fence("desk/paper", 5) == held.fence
