"""The report of an incident says from a desk's facts what became of orders, and what was gained or lost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.unit.desk.world import World
from trading_orchestrator.app.impact import desk_impact
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.perpetual_operations.incidents.incident import Incident
from trading_orchestrator.trading.mode_requests import mode_requested

AROUND_S = 2.0


class Window:
    """An incident that lasts from when it was made until it is asked about."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._opened_ns = world.clock.wall_ns()

    async def impact(self) -> Sequence[str]:
        incident = Incident(
            incident_id="i1",
            node="a",
            part="journal",
            failure="database.slow",
            reason="slow",
            opened_ns=self._opened_ns,
            last_well_ns=0,
            state="resolved",
            ended_ns=self._world.clock.wall_ns(),
        )
        await self._world.run(2 * AROUND_S)
        return await desk_impact(self._world.store, incident)


async def trading(world: World, turns: str) -> None:
    await world.start(world.node("Turner", {"turns": turns}))
    await world.run(2 * AROUND_S)


async def deal(world: World, bid: str) -> None:
    """Show a quote, which the strategy answers with its next order."""
    await world.quote(bid)
    await world.run(0.3)


async def test_a_loss_is_what_cash_and_stock_lost_together(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await trading(world, "bb")
        await deal(world, "1.1000")
        await world.run(3 * AROUND_S)
        window = Window(world)
        await deal(world, "1.0500")
        await deal(world, "1.0400")

        told = await window.impact()

        assert "Desk paper, 5 s around it: 1 orders intended, 1 accepted, 0 refused by the venue." == told[0]
        assert "1 trades were booked: turnover 10.50 USDT, fees 0.01 USDT." == told[2]
        # ten that were worth 1.1001 each are worth 1.0501, and the fee of ten more
        assert told[3].startswith("Loss in EUR/USDT: -0.51 USDT after fees; the position went from 10 to 20 EUR")


async def test_what_was_bought_and_sold_within_is_told_as_gained(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await trading(world, "bs")
        window = Window(world)
        await deal(world, "1.1000")
        await deal(world, "1.3000")

        told = await window.impact()

        # bought 10 at 1.1001 and sold them at 1.3, for 0.024 of fees
        assert told[-1].startswith("Profit in EUR/USDT: +1.97 USDT after fees; the position went from 0 to 0 EUR")


async def test_trades_after_the_window_do_not_count_for_it(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await trading(world, "bsb")
        window = Window(world)
        await deal(world, "1.3000")
        await deal(world, "1.1000")
        ended = await window.impact()
        await world.run(2 * AROUND_S)
        await deal(world, "1.2000")

        assert ended[-1].startswith("Loss in EUR/USDT: -2.03 USDT after fees; the position went from 0 to 0 EUR")


async def test_a_pause_that_began_before_the_window_is_one(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await trading(world, "bb")
        await deal(world, "1.1000")
        await world.run(3 * AROUND_S)
        window = Window(world)
        await world.run(5.0)
        await deal(world, "1.1001")

        told = await window.impact()

        assert "The longest time within it without a new order was 7.00 s." in told


async def test_orders_without_an_answer_pauses_and_modes_are_told(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await trading(world, "bb")
        window = Window(world)
        world.fault("submit", Effect.LOST)
        await deal(world, "1.1000")
        await world.run(8.0)
        await deal(world, "1.1001")
        asked = mode_requested("paper", "reduce_only", by="ops", reason="to look at it")
        await world.store.append([asked], node="ops", fence=None)
        await world.run(1.0)

        told = await window.impact()

        assert (
            "1 orders were without an answer: 0 found at the venue, 1 proved never accepted, 0 quarantined." == told[1]
        )
        assert any(said.startswith("The longest time within it without a new order was 8.") for said in told)
        assert "The desk became reduce only, by ops: to look at it." in told
