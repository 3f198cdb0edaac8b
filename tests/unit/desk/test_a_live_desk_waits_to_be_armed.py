"""No order leaves for real money before a named person has armed the desk; practice needs no arming."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.desk.world import SYMBOL, Node, World
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.operator_acts import ArmingRequested, requested
from trading_orchestrator.trading.permit_facts import DeskArmed, DeskDisarmed

QUICK_S = 0.2


async def arm(world: World, armed: bool = True) -> None:
    request = requested(ArmingRequested(desk="paper", armed=armed, by="Ada", reason="looked at keys and limits"))
    await world.store.append([request], node="operator", fence=None)
    await world.run(QUICK_S)


async def start(world: World, turns: str, succession: Succession = Succession.FIRST, *, live: bool = True) -> Node:
    return await world.start(world.node("Turner", {"turns": turns}, live=live), succession)


async def see(world: World, quotes: int = 1) -> None:
    for _ in range(quotes):
        await world.quote("1.1000")
    await world.run(QUICK_S)


async def mode(world: World) -> str:
    return str((await world.rows("desks"))[0]["mode"])


async def test_a_desk_on_a_live_broker_starts_unarmed_and_says_how_to_arm_it(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await start(world, "b")
        await see(world)

        assert [] == world.submits
        assert "unarmed" == await mode(world)
        (disarmed,) = await world.facts("desk.disarmed")
        assert isinstance(disarmed, DeskDisarmed)
        assert ("desk", "broker sim moves real money") == (disarmed.by, disarmed.reason)
        assert "the desk is unarmed" in node.desk.health().reason


async def test_an_armed_desk_trades_and_the_journal_knows_who_armed_it(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await start(world, "bb")
        await see(world)
        await arm(world)
        await see(world)

        assert ["rejected", "filled"] == await world.order_states()
        (armed,) = await world.facts("desk.armed")
        assert isinstance(armed, DeskArmed)
        assert ("sim", True, "Ada", "looked at keys and limits") == (
            armed.account,
            armed.live,
            armed.by,
            armed.reason,
        )


async def test_arming_outlives_the_node_and_disarming_does_too(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        first = await start(world, "")
        await arm(world)
        first.crash()
        second = await start(world, "b", Succession.PROVED_DEATH)
        await see(world)
        assert ["filled"] == await world.order_states()

        await arm(world, armed=False)
        second.crash()
        await start(world, "bb", Succession.PROVED_DEATH)
        await see(world)
        assert "unarmed" == await mode(world)
        assert 1 == len(world.submits)


async def test_practice_needs_no_arming(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await start(world, "b", live=False)
        await see(world)

        assert ["filled"] == await world.order_states()
        assert not {"desk.armed", "desk.disarmed"} & set(await world.kinds())


async def test_arming_for_practice_is_none_for_real_money(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        first = await start(world, "", live=False)
        await arm(world)
        first.crash()
        await start(world, "b", Succession.PROVED_DEATH)
        await see(world)

        assert "unarmed" == await mode(world)
        assert [] == world.submits


async def test_a_broker_that_turns_out_to_be_practice_arms_what_the_desk_itself_disarmed(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        first = await start(world, "")
        first.crash()
        await start(world, "b", Succession.PROVED_DEATH, live=False)
        await see(world)

        assert ["filled"] == await world.order_states()


async def test_what_a_person_disarmed_stays_so_on_a_practice_venue(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        first = await start(world, "", live=False)
        await arm(world, armed=False)
        first.crash()
        await start(world, "b", Succession.PROVED_DEATH, live=False)
        await see(world)

        assert [] == world.submits


async def test_an_unarmed_desk_still_cancels_and_books(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        first = await world.start(world.node("Buyer", {"px": "1.0900"}, live=False))
        await see(world)
        first.crash()
        node = world.node("Buyer", {"px": "1.0900", "cancel_at_bid": "1.0950"}, live=True)
        await world.start(node, Succession.PROVED_DEATH)
        await world.quote("1.0800", "1.0900", qty=4)
        await world.quote("1.0950")
        await world.run(QUICK_S)

        assert "unarmed" == await mode(world)
        assert ["canceled"] == await world.order_states()
        assert [] == world.venue.open_orders([SYMBOL])
        assert 4 == await world.position_qty()


async def test_an_order_decided_before_the_disarming_does_not_leave_after_it(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await start(world, "B", live=False)
        node.store.append_takes_s = 0.5
        await world.quote("1.1000")
        await arm(world, armed=False)
        node.store.append_takes_s = 0.0
        await world.run(3.0)

        assert [] == world.submits
        assert ["rejected"] == await world.order_states()


async def test_a_desk_that_waits_writes_one_denial_a_minute(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await start(world, "b" * 100)
        for _ in range(50):
            await world.quote("1.1000")
            await world.run(1.5)

        assert 2 == (await world.kinds()).count("order.denied")


def test_nobody_arms_without_name_and_reason() -> None:
    for by, reason in (("", "why"), ("Ada", " ")):
        with pytest.raises(Refused, match="a named person"):
            requested(ArmingRequested(desk="paper", armed=True, by=by, reason=reason))
