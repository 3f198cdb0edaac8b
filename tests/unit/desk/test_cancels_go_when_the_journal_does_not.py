"""While the journal takes nothing, no order leaves and cancels do: noted first, journaled later by whoever can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from tests.unit.desk.world import SYMBOL, Node, World
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.journal.emergency_area import SLOTS
from trading_orchestrator.journal.emergency_notes import EmergencyNotes
from trading_orchestrator.journal.incarnation import Incarnation
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.storage.ports import JournalCorrupt, StorageUnavailable
from trading_orchestrator.trading.emergency import KEPT_FOR_ALL, UNATTENDED, EmergencyNote
from trading_orchestrator.trading.explain import explain
from trading_orchestrator.trading.facts import EmergencyCancelSent

AFTER_S = 2.0
FULL = StorageUnavailable("disk is full")


class Disk:
    """The incarnation files of a world's nodes."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._folder = folder / "incarnations"

    def notes(self, node: str) -> EmergencyNotes:
        incarnation = Incarnation.hold(self._folder, node, clock=self._world.clock, boot_id="0" * 36)
        return EmergencyNotes(self._folder, incarnation)


async def start(
    world: World, notes: EmergencyNotes, params: dict[str, Any], succession: Succession = Succession.FIRST
) -> Node:
    node = world.node("Buyer", params, notes=notes, emergency_cancel_after_s=AFTER_S)
    return await world.start(node, succession)


async def rest(world: World, orders: int = 1) -> None:
    for _ in range(orders):
        await world.quote("1.1000")
    await world.run(0.2)
    assert ["new"] * orders == await world.order_states()


async def fail(world: World, node: Node, error: OrchestratorError = FULL) -> None:
    """Let the journal refuse whatever comes, and something come."""
    node.store.fails_with = error
    await world.quote("1.1000")
    await world.run(0.1)


def lose(node: Node) -> None:
    """Let its lease run out."""
    assert node.seat is not None
    node.seat.acts = False


def at_venue(world: World) -> list[str]:
    return [report.cl_ord_id for report in world.venue.open_orders([SYMBOL])]


async def sent(world: World) -> list[EmergencyCancelSent]:
    return [fact for fact in await world.facts("emergency_cancel.sent") if isinstance(fact, EmergencyCancelSent)]


async def test_what_rests_is_canceled_once_the_journal_has_failed_for_long(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        notes = Disk(world, tmp_path).notes("a-1")
        node = await start(world, notes, {"orders": 3, "px": "1.0900"})
        await rest(world, 2)
        await fail(world, node)
        submitted = len(world.submits)
        assert 2 == len(at_venue(world))
        await world.run(AFTER_S + 0.5)

        assert [] == at_venue(world)
        assert submitted == len(world.submits)
        assert 2 == len(notes.noted())
        assert "cancels only, 2 orders so far" in node.desk.health().reason
        assert [] == await sent(world)


async def test_they_are_journaled_when_the_journal_works_again(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        notes = Disk(world, tmp_path).notes("a-1")
        node = await start(world, notes, {"orders": 2, "px": "1.0900"})
        await rest(world)
        await fail(world, node)
        await world.run(AFTER_S + 0.5)
        node.store.fails_with = None
        await world.run(3.0)

        (fact,) = await sent(world)
        assert ("a-1", "the journal takes nothing, so nobody may decide about what rests") == (fact.node, fact.reason)
        assert "canceled" in await world.order_states()
        assert [] == notes.noted()
        story = await explain(world.store, fact.cl_ord_id)
        assert any("cancel sent in an emergency" in line.sentence for line in story.lines)
        await world.quote("1.1000")
        await world.run(0.5)
        assert "healthy" == node.desk.health().state.value


async def test_on_a_damaged_journal_nothing_begins_again_though_it_takes_facts(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        notes = Disk(world, tmp_path).notes("a-1")
        node = await start(world, notes, {"orders": 3, "px": "1.0900"})
        await rest(world, 2)
        await fail(world, node, JournalCorrupt("page 7 does not read back"))
        node.store.fails_with = None
        submitted = len(world.submits)
        await world.run(AFTER_S + 3.0)
        await world.quote("1.1000")
        await world.run(1.0)

        assert [] == at_venue(world)
        assert submitted == len(world.submits)
        assert ("unhealthy", True) == (
            node.desk.health().state.value,
            "page 7 does not read back; cancels only, 2 orders so far" in node.desk.health().reason,
        )


async def test_a_cancel_that_was_decided_leaves_at_once(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        notes = Disk(world, tmp_path).notes("a-1")
        node = await start(world, notes, {"px": "1.0900", "cancel_at_bid": "1.0950"})
        await rest(world)
        node.store.fails_with = FULL
        await world.quote("1.0950")
        await world.run(0.1)

        assert [] == at_venue(world)
        assert 1 == len(notes.noted())


async def test_a_successor_journals_what_the_dead_node_did(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        disk = Disk(world, tmp_path)
        node = await start(world, disk.notes("a-1"), {"orders": 2, "px": "1.0900"})
        await rest(world)
        await fail(world, node)
        await world.run(AFTER_S + 0.5)
        node.crash()
        heirs = disk.notes("b-1")
        await start(world, heirs, {"px": "1.0900"}, Succession.PROVED_DEATH)
        await world.run(1.0)

        (fact,) = await sent(world)
        assert "a-1" == fact.node
        assert [] == heirs.noted()
        kinds = await world.kinds()
        successor_began = len(kinds) - 1 - kinds[::-1].index("desk.reconciled")
        assert kinds.index("emergency_cancel.sent") < successor_began


async def test_a_short_failure_cancels_nothing_that_nobody_decided(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        notes = Disk(world, tmp_path).notes("a-1")
        node = await start(world, notes, {"orders": 2, "px": "1.0900"})
        await rest(world)
        await fail(world, node)
        await world.run(AFTER_S / 4)
        node.store.fails_with = None
        await world.run(AFTER_S * 2)

        assert 1 <= len(at_venue(world))
        assert [] == await sent(world)


async def test_orders_of_others_and_of_a_successor_are_left_alone(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        disk = Disk(world, tmp_path)
        node = await start(world, disk.notes("a-1"), {"orders": 2, "px": "1.0900"})
        await rest(world)
        await fail(world, node)
        first = at_venue(world)
        await start(world, disk.notes("b-1"), {"orders": 2, "px": "1.0890"}, Succession.EXPIRED)
        await world.quote("1.1000")
        await world.run(AFTER_S + 2.0)

        assert set(first) < set(at_venue(world))
        assert [] == await sent(world)


async def test_one_that_wakes_up_behind_its_successor_cancels_nothing(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        disk = Disk(world, tmp_path)
        zombies = disk.notes("a-1")
        zombie = await start(world, zombies, {"px": "1.0900", "cancel_at_bid": "1.0950"})
        await rest(world)
        await start(world, disk.notes("b-1"), {"orders": 0}, Succession.EXPIRED)
        zombie.store.fails_with = FULL
        await world.quote("1.0950")
        await world.run(AFTER_S + 1.0)

        assert 1 == len(at_venue(world))
        assert [] == zombies.noted()


async def test_it_stays_unhealthy_when_its_lease_runs_out_until_somebody_holds_the_desk(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        disk = Disk(world, tmp_path)
        node = await start(world, disk.notes("a-1"), {"orders": 2, "px": "1.0900"})
        await rest(world)
        await fail(world, node)
        await world.until_done(node.desk.leave(0))
        await world.run(AFTER_S + 0.5)
        assert [] == at_venue(world)
        health = node.desk.health()
        assert ("unhealthy", True) == (health.state.value, "cancels only, 1 orders so far" in health.reason)

        await start(world, disk.notes("b-1"), {"orders": 0}, Succession.EXPIRED)
        await world.run(2.0)
        assert "cancels only" not in node.desk.health().reason


async def test_a_lease_that_ran_out_before_the_journal_refused_a_fact_is_stood_in_for(tmp_path: Path) -> None:
    """Another program keeps the journal locked: appends wait longer than the lease lives, and nobody can succeed."""
    async with await World.open(tmp_path) as world:
        node = await start(world, Disk(world, tmp_path).notes("a-1"), {"px": "1.0900"})
        await rest(world)
        lose(node)
        await world.until_done(node.desk.leave(0))
        await world.run(AFTER_S - 0.5)
        assert 1 == len(at_venue(world))
        await world.run(1.0)

        assert [] == at_venue(world)
        assert "cancels only, 1 orders so far" in node.desk.health().reason


async def test_a_lease_that_a_successor_claimed_is_not_stood_in_for(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        disk = Disk(world, tmp_path)
        node = await start(world, disk.notes("a-1"), {"px": "1.0900"})
        await rest(world)
        await start(world, disk.notes("b-1"), {"orders": 0}, Succession.EXPIRED)
        lose(node)
        await world.until_done(node.desk.leave(0))
        await world.run(AFTER_S + 1.0)

        assert 1 == len(at_venue(world))
        assert "cancels only" not in node.desk.health().reason


async def test_a_desk_that_leaves_in_order_is_not_stood_in_for(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await start(world, Disk(world, tmp_path).notes("a-1"), {"px": "1.0900"})
        await rest(world)
        await world.until_done(node.desk.leave(1.0))
        await world.run(AFTER_S + 1.0)

        assert 1 == len(at_venue(world))


async def test_a_cancel_that_cannot_be_noted_does_not_leave(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        notes = Disk(world, tmp_path).notes("a-1")
        node = await start(world, notes, {"orders": 2, "px": "1.0900"})
        await rest(world)
        for _ in range(SLOTS):
            notes.note(b"\x96\xa5other\xa1S\xa1c\xa1r\x01\xa1w")
        await fail(world, node)
        await world.run(AFTER_S + 1.0)

        assert 1 == len(at_venue(world))


async def test_more_orders_than_slots_are_noted_as_all_of_their_desk(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        notes = Disk(world, tmp_path).notes("a-1")
        node = await start(world, notes, {"orders": 4, "px": "1.0900"})
        await rest(world, 3)
        for _ in range(SLOTS - KEPT_FOR_ALL - 1):
            notes.note(b"\x96\xa5other\xa1S\xa1c\xa1r\x01\xa1w")
        await fail(world, node)
        await world.run(AFTER_S + 1.0)

        assert [] == at_venue(world)
        assert 1 + 1 == len([each for each in notes.noted() if b"paper" in each.record]), "one order, and all"

        node.store.fails_with = None
        await world.run(5.0)
        assert ["canceled"] * 3 == (await world.order_states())[:3]
        told = [fact.cl_ord_id for fact in await sent(world)]
        assert set(world.venue._orders) == set(told)
        assert [] == [each for each in notes.noted() if b"paper" in each.record]


async def test_one_that_is_journaled_after_the_desk_began_again_is_asked_for(tmp_path: Path) -> None:
    """The stand-in goes on until the desk trades: its last cancels may be unanswered, and nobody else asks again."""
    async with await World.open(tmp_path) as world:
        notes = Disk(world, tmp_path).notes("a-1")
        node = await start(world, notes, {"orders": 1, "px": "1.0900"})
        await rest(world)
        (cl_ord_id,) = at_venue(world)
        note = EmergencyNote("paper", SYMBOL, cl_ord_id, "tro1", world.clock.wall_ns(), UNATTENDED)

        notes.note(msgspec.msgpack.encode(note))
        assert node.desk._shift is not None
        await world.until_done(node.desk._shift.journal_emergencies())
        await world.run(2.0)

        assert [] == at_venue(world)
        assert ["canceled"] == await world.order_states()


async def test_a_note_of_all_means_no_order_that_began_after_it(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        notes = Disk(world, tmp_path).notes("a-1")
        note = EmergencyNote("paper", "", "", "", world.clock.wall_ns() - 1, UNATTENDED)
        node = await start(world, notes, {"orders": 1, "px": "1.0900"})
        await rest(world)

        notes.note(msgspec.msgpack.encode(note))
        assert node.desk._shift is not None
        await world.until_done(node.desk._shift.journal_emergencies())
        await world.run(1.0)

        assert [] == await sent(world)
        assert 1 == len(at_venue(world))


async def test_an_unanswered_emergency_cancel_is_sent_again_and_noted_once(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        notes = Disk(world, tmp_path).notes("a-1")
        node = await start(world, notes, {"orders": 2, "px": "1.0900"})
        await rest(world)
        await fail(world, node)
        world.fault("cancel", Effect.LOST, times=2)
        await world.run(AFTER_S + 6.0)

        assert [] == at_venue(world)
        assert 1 == len(notes.noted())
