"""A lease has one holder at a time; its epoch rises with every claim and never falls."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.journal.engine import DESK, Engine
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.storage.ports import FactStore, LeaseHeld, StaleEpoch


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def store(engine: Engine, clock: VirtualClock) -> FactStore:
    return await engine.open(clock=clock)


async def test_another_holder_is_refused_until_the_lease_expires(store: FactStore, clock: VirtualClock) -> None:
    await store.claim_lease(DESK, holder="first", ttl_s=3.0)
    await clock.advance(2.9)
    with pytest.raises(LeaseHeld) as held:
        await store.claim_lease(DESK, holder="second", ttl_s=3.0)
    await clock.advance(0.1)

    row = await store.claim_lease(DESK, holder="second", ttl_s=3.0)

    assert ("first", 1) == (held.value.facts["holder"], held.value.facts["epoch"])
    assert ("second", 2) == (row.holder, row.epoch)


async def test_a_renewal_pushes_the_expiry_out(store: FactStore, clock: VirtualClock) -> None:
    row = await store.claim_lease(DESK, holder="first", ttl_s=3.0)
    await clock.advance(2.0)
    renewed = await store.renew_lease(DESK, holder="first", epoch=row.epoch, ttl_s=3.0)
    await clock.advance(2.0)

    with pytest.raises(LeaseHeld):
        await store.claim_lease(DESK, holder="second", ttl_s=3.0)
    assert 2_000_000_000 == renewed.expires_ns - row.expires_ns


async def test_a_row_tells_its_end_on_the_holders_own_clock(store: FactStore, clock: VirtualClock) -> None:
    """A holder stops by it, and whoever waits claims by it."""
    began_ns = clock.boot_ns()
    row = await store.claim_lease(DESK, holder="first", ttl_s=3.0)
    await clock.advance(1.0)
    renewed = await store.renew_lease(DESK, holder="first", epoch=row.epoch, ttl_s=3.0)

    assert (began_ns + 3_000_000_000, began_ns + 4_000_000_000) == (row.expires_ns, renewed.expires_ns)


async def test_a_step_of_the_wall_clock_moves_no_lease(store: FactStore, clock: VirtualClock) -> None:
    await store.claim_lease(DESK, holder="first", ttl_s=3.0)
    for by_ns in (7_200_000_000_000, -14_400_000_000_000):
        clock.step_wall(by_ns)
        with pytest.raises(LeaseHeld):
            await store.claim_lease(DESK, holder="second", ttl_s=3.0)


async def test_proof_of_death_takes_an_unexpired_lease(store: FactStore) -> None:
    await store.claim_lease(DESK, holder="first", ttl_s=3.0)

    row = await store.claim_lease(DESK, holder="second", ttl_s=3.0, dead_holder="first")

    assert ("second", 2) == (row.holder, row.epoch)


async def test_proof_of_one_death_takes_nothing_from_his_heir(engine: Engine) -> None:
    stores = [await engine.open() for _ in range(3)]
    await stores[0].claim_lease(DESK, holder="first", ttl_s=3.0)

    outcomes = await asyncio.gather(
        *(
            store.claim_lease(DESK, holder=f"node{index}", ttl_s=3.0, dead_holder="first")
            for index, store in enumerate(stores)
        ),
        return_exceptions=True,
    )

    assert 2 == sum(isinstance(outcome, LeaseHeld) for outcome in outcomes)
    assert [2] == [row.epoch for row in await stores[0].leases()]


async def test_who_was_replaced_can_neither_renew_nor_release(store: FactStore) -> None:
    old = await store.claim_lease(DESK, holder="first", ttl_s=3.0)
    new = await store.claim_lease(DESK, holder="second", ttl_s=3.0, dead_holder="first")

    with pytest.raises(StaleEpoch):
        await store.renew_lease(DESK, holder="first", epoch=old.epoch, ttl_s=3.0)
    await store.release_lease(DESK, holder="first", epoch=old.epoch)

    assert [new] == list(await store.leases())


async def test_a_released_lease_is_free_at_once_and_keeps_its_epoch(store: FactStore) -> None:
    row = await store.claim_lease(DESK, holder="first", ttl_s=3.0)
    await store.release_lease(DESK, holder="first", epoch=row.epoch)

    assert [(1, 0)] == [(row.epoch, row.expires_ns) for row in await store.leases()]
    assert 2 == (await store.claim_lease(DESK, holder="second", ttl_s=3.0)).epoch


async def test_of_many_who_claim_at_once_exactly_one_wins(engine: Engine) -> None:
    stores = [await engine.open() for _ in range(3)]

    outcomes = await asyncio.gather(
        *(store.claim_lease(DESK, holder=f"node{index}", ttl_s=3.0) for index, store in enumerate(stores)),
        return_exceptions=True,
    )

    assert 2 == sum(isinstance(outcome, LeaseHeld) for outcome in outcomes)
    assert [1] == [row.epoch for row in await stores[0].leases()]
