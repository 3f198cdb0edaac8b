"""Invariants I2 and I9: the venue never sees an id without a durable intent, nor anything from a stale epoch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.leases import holder_of
from tests.unit.desk.world import LEASE, World
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.storage.ports import CommitUnknown, StorageUnavailable


async def test_every_submit_finds_its_intent_durable(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer", {"orders": 8}))
        node.store.append_takes_s = 0.05

        for number in range(8):
            await world.quote(f"1.{1000 + number}")
        await world.run(1.0)

        assert len({cl_ord_id for cl_ord_id, _ in world.submits}) == 8
        assert all(durable for _, durable in world.submits)


async def test_no_order_leaves_while_the_append_is_under_way(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer"))
        node.store.append_takes_s = 0.5

        await world.quote("1.1000")
        await world.run(0.3)

        assert world.submits == []


@pytest.mark.parametrize("error", [StorageUnavailable("disk full"), CommitUnknown("COMMIT failed")])
async def test_an_order_whose_append_failed_never_leaves(tmp_path: Path, error: OrchestratorError) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer", {"orders": 1}))
        node.store.fails_with = error

        await world.quote("1.1000")
        await world.run(5.0)

        assert world.submits == []
        assert world.venue.orders() == []
        assert node.desk.health().state.value == "unhealthy"


async def test_the_desk_trades_again_once_the_journal_takes_facts(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer", {"orders": 1}))
        node.store.fails_with = StorageUnavailable("disk full")
        await world.quote("1.1000")
        await world.run(1.0)

        node.store.fails_with = None
        await world.run(2.0)
        await world.quote("1.1001")
        await world.run(0.5)

        assert len(world.venue.orders()) == 1
        assert await world.order_states() == ["filled"]
        assert node.desk.health().state.value == "healthy"


async def test_an_answer_that_could_not_be_journaled_is_found_again(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer", {"orders": 1}))
        await world.quote("1.1000")
        world.fault("submit", Effect.NO_ANSWER)
        world.fault("report", Effect.DROPPED, times=10)
        node.store.append_takes_s = 0.05
        await world.run(0.08)
        node.store.fails_with = StorageUnavailable("disk full")
        await world.run(2.0)

        node.store.fails_with = None
        await world.run(3.0)

        assert len(world.venue.orders()) == 1
        assert await world.order_states() == ["filled"]
        assert await world.position_qty() == world.venue_position_qty()


async def test_a_stale_epoch_sends_nothing(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer", {"orders": 5}))
        dead = await holder_of(world.store, LEASE)
        await world.store.claim_lease(LEASE, holder="another", ttl_s=3.0, dead_holder=dead)

        for number in range(5):
            await world.quote(f"1.{1000 + number}")
        await world.run(2.0)

        assert world.submits == []
        assert "order.intended" not in await world.kinds()
        assert node.desk.health().state.value == "unhealthy"


async def test_nothing_is_sent_past_the_leases_deadline(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer"))
        assert node.seat is not None
        node.store.append_takes_s = 0.05

        await world.quote("1.1000")
        node.seat.acts = False
        await world.run(0.5)

        assert world.submits == []
        assert await world.order_states() == ["unknown"]


async def test_nothing_is_decided_while_the_lease_is_late(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer"))
        assert node.seat is not None

        node.seat.acts = False
        await world.quote("1.1000")
        assert "order.intended" not in await world.kinds()

        node.seat.acts = True
        await world.quote("1.1001")
        await world.run(0.2)
        assert await world.order_states() == ["filled"]


async def test_a_venue_that_asks_for_a_pause_gets_it(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Buyer", {"orders": 3}))
        world.fault("submit", Effect.NOT_SENT)
        await world.quote("1.1000")
        for number in range(1, 9):
            await world.quote(f"1.{1000 + number}")
        assert await world.order_states() == ["rejected"]

        await world.run(1.0)
        await world.quote("1.1010")
        await world.run(0.2)
        assert await world.order_states() == ["rejected", "filled"]
