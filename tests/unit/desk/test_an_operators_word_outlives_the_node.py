"""Desk modes and the kill switch: asked by a named person, followed by whoever holds the lease, and not forgotten."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.desk.world import Node, World
from trading_orchestrator.brokers.port import NewOrder, OrdType, Side
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.facts import DeskKilled, DeskKillLifted, DeskModeChanged
from trading_orchestrator.trading.mode_requests import mode_requested

QUICK_S = 0.2


async def ask(world: World, mode: str, desk: str = "paper", by: str = "Ada") -> None:
    request = mode_requested(desk, mode, by=by, reason="a drill")
    await world.store.append([request], node="operator", fence=None)
    await world.run(QUICK_S)


async def start(world: World, turns: str, succession: Succession = Succession.FIRST) -> Node:
    return await world.start(world.node("Turner", {"turns": turns}), succession)


async def mode(world: World) -> str:
    return str((await world.rows("desks"))[0]["mode"])


async def denials(world: World) -> list[str]:
    return [fact.code for fact in await world.facts("order.denied")]  # type: ignore[attr-defined]


async def test_a_request_is_followed_and_answered_with_name_and_reason(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await start(world, "b")
        await ask(world, "halted")
        await world.quote("1.1000")
        await world.run(QUICK_S)

        (changed,) = await world.facts("desk.mode_changed")
        assert isinstance(changed, DeskModeChanged)
        assert ("halted", "Ada", "a drill") == (changed.mode, changed.by, changed.reason)
        assert ["risk.mode"] == await denials(world)
        assert "the desk is halted" in node.desk.health().reason


async def test_a_request_to_another_desk_is_not_ours(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await start(world, "b")
        await ask(world, "halted", desk="other")

        assert "desk.mode_changed" not in await world.kinds()


@pytest.mark.parametrize(
    ("said", "step", "then"),
    [
        ("normal", "reduce_only", "reduce_only"),
        ("normal", "halted", "halted"),
        ("reduce_only", "halted", "halted"),
        ("draining", "halted", "halted"),
        ("halted", "reduce_only", "halted"),
        ("draining", "reduce_only", "draining"),
        ("killed", "reduce_only", "killed"),
        ("killed", "halted", "killed"),
    ],
)
async def test_a_step_of_recovery_takes_no_word_back_that_was_said_before_it(
    tmp_path: Path, said: str, step: str, then: str
) -> None:
    async with await World.open(tmp_path) as world:
        await ask(world, said)
        await ask(world, step, by="recovery")  # by a node that had not seen the other answered
        await start(world, "b")
        await world.run(QUICK_S)

        assert then == await mode(world)
        declined = [] if step == then else [f"the desk is {then} already"]
        assert declined == [fact.text for fact in await world.facts("request.declined")]  # type: ignore[attr-defined]


async def test_reduce_only_lets_only_the_way_out_through(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await start(world, "bbs")
        await world.quote("1.1000")
        await ask(world, "reduce_only")
        await world.quote("1.1000")
        await world.quote("1.1000")
        await world.run(QUICK_S)

        assert ["filled", "rejected", "filled"] == await world.order_states()


async def test_a_desk_resumed_trades_again(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await start(world, "b")
        await ask(world, "halted")
        await ask(world, "normal")
        await world.quote("1.1000")
        await world.run(QUICK_S)

        assert ["filled"] == await world.order_states()
        assert "healthy" == node.desk.health().state.value


async def test_what_was_asked_while_nobody_held_the_desk_is_followed_first(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await ask(world, "killed")
        await world.quote("1.1000")
        await start(world, "b")
        await world.quote("1.1000")
        await world.run(QUICK_S)

        assert "killed" == await mode(world)
        assert [] == world.submits


async def test_the_kill_switch_cancels_everything_and_verifies_it_twice(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await start(world, "BBB")
        for _ in range(2):
            await world.quote("1.1000")
        await world.run(QUICK_S)
        assert ["new", "new"] == await world.order_states()

        await ask(world, "killed")
        await world.quote("1.1000")
        await world.run(2.0)

        assert ["canceled", "canceled", "rejected"] == await world.order_states()
        assert [] == world.venue.open_orders(["EUR/USDT"])
        kinds = await world.kinds()
        assert 1 == kinds.count("desk.kill_verified")
        assert kinds.index("desk.killed") < kinds.index("cancel.intended") < kinds.index("desk.kill_verified")


async def test_what_the_kill_switch_cannot_cancel_it_asks_for_again(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await start(world, "B")
        await world.quote("1.1000")
        await world.run(QUICK_S)
        world.fault("cancel", Effect.LOST, times=2)
        world.fault("cancel", Effect.NOT_SENT, times=2)

        await ask(world, "killed")
        assert "desk.kill_verified" not in await world.kinds()
        await world.run(15.0)

        assert ["canceled"] == await world.order_states()
        assert 1 == (await world.kinds()).count("desk.kill_verified")


async def test_a_venue_that_says_ok_and_cancels_nothing_is_asked_again(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await start(world, "BB")
        for _ in range(2):
            await world.quote("1.1000")
        await world.run(QUICK_S)
        world.fault("cancel", Effect.HOLLOW, times=5)

        await ask(world, "killed")
        assert "desk.kill_verified" not in await world.kinds()
        await world.run(15.0)

        assert ["canceled", "canceled"] == await world.order_states()
        assert 1 == (await world.kinds()).count("desk.kill_verified")


async def test_a_ghost_order_is_canceled_when_it_is_found(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await start(world, "B")
        world.fault("submit", Effect.NO_ANSWER)
        world.fault("report", Effect.DROPPED, times=100)
        world.fault("order", Effect.LOST, times=3)
        world.fault("open_orders", Effect.LOST, times=3)
        await world.quote("1.1000")
        await ask(world, "killed")
        assert "desk.kill_verified" not in await world.kinds()

        await world.run(15.0)

        assert [] == world.venue.open_orders(["EUR/USDT"])
        assert ["canceled"] == await world.order_states()
        assert 1 == (await world.kinds()).count("desk.kill_verified")


async def test_a_strangers_order_is_left_alone(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await start(world, "B")
        await world.quote("1.1000")
        world.venue.accept(NewOrder("by-hand", "EUR/USDT", Side.BUY, OrdType.LIMIT, Decimal(10), Decimal("1.05")))
        await world.run(2.0)

        await ask(world, "killed")
        await world.run(2.0)

        assert ["by-hand"] == [report.cl_ord_id for report in world.venue.open_orders(["EUR/USDT"])]
        assert 1 == (await world.kinds()).count("desk.kill_verified")


async def test_the_latch_survives_a_takeover_and_finishes_its_work(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        first = await start(world, "B")
        await world.quote("1.1000")
        await world.run(QUICK_S)
        world.fault("cancel", Effect.LOST, times=100)
        await ask(world, "killed")
        first.crash()
        world.faults.clear()

        await start(world, "BBBB", Succession.PROVED_DEATH)
        await world.quote("1.1000")
        await world.run(3.0)

        assert "killed" == await mode(world)
        assert 1 == len(world.submits)
        assert [] == world.venue.open_orders(["EUR/USDT"])
        assert 1 == (await world.kinds()).count("desk.kill_verified")


async def test_only_a_named_resume_lifts_the_latch(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await start(world, "b")
        await ask(world, "killed")
        await ask(world, "reduce_only")
        assert "killed" == await mode(world)

        await ask(world, "normal")
        await world.quote("1.1000")
        await world.run(QUICK_S)

        (killed,) = await world.facts("desk.killed")
        (lifted,) = await world.facts("desk.kill_lifted")
        assert isinstance(killed, DeskKilled)
        assert isinstance(lifted, DeskKillLifted)
        assert ("Ada", "a drill") == (lifted.by, lifted.reason)
        assert ["filled"] == await world.order_states()
        for by, reason in (("", "why"), ("who", " ")):
            with pytest.raises(Refused):
                mode_requested("paper", "normal", by=by, reason=reason)


async def test_an_order_decided_before_the_kill_does_not_leave_after_it(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await start(world, "B")
        node.store.append_takes_s = 0.5
        await world.quote("1.1000")
        await ask(world, "killed")
        node.store.append_takes_s = 0.0
        await world.run(3.0)

        assert [] == world.submits
        assert ["rejected"] == await world.order_states()
