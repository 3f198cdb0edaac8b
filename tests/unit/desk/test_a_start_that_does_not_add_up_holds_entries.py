"""Section 8, step 9: if balances differ at a start, no entry leaves before a second look has cleared or blocked."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

from tests.unit.desk.world import Node, World
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.balance_check import SETTLE_S

LOOK_S = 1.0
QUIET_S = 0.5


async def successor_after(
    world: World, moved: str, turns: str, *, compare_s: float = LOOK_S, until_there: bool = False
) -> Node:
    """Start a desk with a position of 10, end it, move money, and start the next one while quotes come.

    until_there: the money moves back in the moment of the take-over.
    """
    first = await world.start(world.node("Turner", {"turns": turns}, compare_s=LOOK_S))
    await world.quote("1.1000")
    await world.run(0.5)
    first.crash()
    world.venue.transfer("EUR", Decimal(moved))
    second = world.node("Turner", {"turns": turns}, compare_s=compare_s)
    await world.warm(second)
    await world.quote("1.1001")
    if until_there:
        world.fault("open_orders", Effect.NOT_SENT)  # asked again 50 ms later, when all else is answered
    taking = asyncio.create_task(world.take(second, Succession.PROVED_DEATH))
    await world.run(0.02)
    if until_there:
        world.venue.transfer("EUR", -Decimal(moved))
    await taking
    return second


async def kinds_of_note(world: World) -> list[str]:
    noted = ("order.intended", "order.denied", "symbol.blocked", "symbol.released")
    return [kind for kind in await world.kinds() if kind in noted]


async def test_the_symbol_is_blocked_before_any_entry(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await successor_after(world, "5", "bbbbb")
        await world.run(0.1)
        await world.quote("1.1002")
        await world.run(QUIET_S + 1.0)
        await world.quote("1.1003")
        await world.run(0.2)

        assert ["order.intended", "order.denied", "symbol.blocked", "order.denied"] == await kinds_of_note(world)
        codes = [fact.code for fact in await world.facts("order.denied")]  # type: ignore[attr-defined]
        assert ["risk.balances_differ", "risk.symbol_blocked"] == codes


async def test_the_way_out_stays_open_meanwhile(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await successor_after(world, "5", "bs")
        await world.run(0.1)

        assert ["order.intended", "order.intended"] == await kinds_of_note(world)
        assert ["filled", "filled"] == await world.order_states()


async def test_what_the_second_look_explains_holds_nothing(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await successor_after(world, "5", "bbb")
        world.venue.transfer("EUR", Decimal(-5))  # it was on its way between two of the venue's books
        await world.run(QUIET_S + 1.5)
        await world.quote("1.1002")
        await world.run(0.2)

        assert ["order.intended", "order.denied", "order.intended"] == await kinds_of_note(world)


async def test_the_first_look_that_adds_up_lets_go(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await successor_after(world, "5", "bbb", compare_s=60.0)
        await world.run(SETTLE_S + 0.1)
        world.venue.transfer("EUR", Decimal(-5))  # after the second look, and before the third
        await world.run(QUIET_S + 0.1)
        await world.quote("1.1002")
        await world.run(0.1)

        assert ["order.intended", "order.denied", "order.intended"] == await kinds_of_note(world)


async def test_a_second_look_is_taken_at_once(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await successor_after(world, "5", "bbb", compare_s=60.0, until_there=True)
        await world.run(0.01)
        await world.quote("1.1002")

        assert ["order.intended", "order.denied", "order.intended"] == await kinds_of_note(world)


async def test_a_look_that_failed_is_taken_again_soon(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        first = await world.start(world.node("Turner", {"turns": "bb"}))
        await world.quote("1.1000")
        await world.run(0.5)
        first.crash()
        world.venue.transfer("EUR", Decimal(5))
        second = world.node("Turner", {"turns": "bb"}, compare_s=60.0)
        await world.warm(second)
        world.fault("open_orders", Effect.NOT_SENT)
        taking = asyncio.create_task(world.take(second, Succession.PROVED_DEATH))
        await world.run(0.02)
        world.fault("balances", Effect.NOT_SENT)
        world.venue.transfer("EUR", Decimal(-5))
        await taking
        await world.run(QUIET_S + 0.2)
        await world.quote("1.1002")
        await world.run(0.1)

        assert ["order.intended", "order.intended"] == await kinds_of_note(world)


async def test_a_trade_during_the_start_is_no_difference(tmp_path: Path) -> None:
    """It filled after the venue told its balances, and its frame is booked before the start compares."""
    async with await World.open(tmp_path) as world:
        first = await world.start(world.node("Turner", {"turns": "B"}))
        await world.quote("1.1000")
        await world.run(0.5)
        first.crash()
        second = world.node("Turner", {"turns": "Bb"})
        await world.warm(second)
        world.fault("open_orders", Effect.NOT_SENT)  # asked again 50 ms later, when all else is answered
        taking = asyncio.create_task(world.take(second, Succession.PROVED_DEATH))
        await world.run(0.02)
        assert not taking.done()
        await world.quote("1.0890")
        await taking
        await world.run(0.05)

        assert "trade.booked" in await world.kinds()
        assert ["order.intended", "order.intended"] == await kinds_of_note(world)


async def test_a_start_that_adds_up_holds_nothing(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await successor_after(world, "0", "bb")
        await world.run(0.1)

        assert ["order.intended", "order.intended"] == await kinds_of_note(world)


async def test_trades_of_these_seconds_defer_a_difference_but_not_for_ever(tmp_path: Path) -> None:
    compare_s, apart_s = 3.0, 0.2
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Turner", {"turns": "bs" * 40}, compare_s=compare_s))
        await world.quote("1.1000")
        world.venue.transfer("USDT", Decimal(500))
        blocked_at: list[float] = []
        for turn in range(60):
            await world.quote("1.1000")
            await world.run(apart_s)
            if "symbol.blocked" in await world.kinds():
                blocked_at.append(turn * apart_s)

        assert 2 * compare_s < blocked_at[0] < 4 * compare_s


async def test_a_difference_is_looked_at_again_when_the_trades_are_over(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Turner", {"turns": "bs"}, compare_s=LOOK_S, quiet_s=2.0))
        await world.run(1.0)
        world.venue.transfer("USDT", Decimal(500))
        await world.quote("1.1000")
        await world.run(3.6)
        assert "symbol.blocked" not in await world.kinds()

        await world.run(5.0)

        assert 1 == (await world.kinds()).count("symbol.blocked")
