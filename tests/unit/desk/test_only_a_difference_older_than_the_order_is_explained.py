"""Rule R4, "the balance explains it": what moved the account after an order could be sent may be its own fill."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.unit.desk.world import Node, World
from trading_orchestrator.brokers.port import OrderNotFound, OrderReport, TradeReport
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.facts import DeskReconciled
from trading_orchestrator.trading.mode_requests import adjustment_requested

LOOK_S = 1.0
PROVED_S = 12.0
"""Beyond time-out, validity and grace, and beyond several comparisons of the balances."""


def node(world: World, **more: Any) -> Node:
    return world.node("Buyer", compare_s=LOOK_S, **more)


def lag(node: Node) -> None:
    """The replicas that answer questions after orders and trades show an account of long ago; balances are of now."""

    async def no_order(symbol: str, cl_ord_id: str) -> OrderReport:
        raise OrderNotFound("Order does not exist.", venue_code="-2013", text="Order does not exist.")

    async def no_trades(symbol: str, **more: Any) -> Sequence[TradeReport]:
        return []

    node.broker.order = no_order  # type: ignore[method-assign]
    node.broker.trades = no_trades  # type: ignore[method-assign]


async def test_a_fill_that_only_the_balance_shows_is_not_abandoned(tmp_path: Path) -> None:
    """The difference is seen twice alike long before the proof could end, and proves the contrary of an absence."""
    async with await World.open(tmp_path) as world:
        buyer = await world.start(node(world))
        lag(buyer)
        world.fault("submit", Effect.NO_ANSWER)
        world.fault("report", Effect.DROPPED, times=1000)
        await world.quote("1.1000")

        await world.run(PROVED_S)

        assert Decimal(10) == world.venue_position_qty()
        assert ["unknown"] == await world.order_states()
        assert "symbol.blocked" in await world.kinds()


async def test_nor_is_it_when_the_wall_clock_was_set_back_meanwhile(tmp_path: Path) -> None:
    """By the clock the difference is an hour older than the order whose fill it is."""
    async with await World.open(tmp_path) as world:
        buyer = await world.start(node(world))
        lag(buyer)
        world.fault("submit", Effect.NO_ANSWER)
        world.fault("report", Effect.DROPPED, times=1000)
        await world.quote("1.1000")
        world.clock.step_wall(-3_600_000_000_000)

        await world.run(PROVED_S)
        world.clock.step_wall(3_600_000_000_000)
        await world.run(PROVED_S)

        assert Decimal(10) == world.venue_position_qty()
        assert ["unknown"] == await world.order_states()


async def test_it_is_booked_when_the_replicas_have_caught_up(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        buyer = await world.start(node(world))
        honest = buyer.broker.order, buyer.broker.trades
        lag(buyer)
        world.fault("submit", Effect.NO_ANSWER)
        world.fault("report", Effect.DROPPED, times=1000)
        await world.quote("1.1000")
        await world.run(PROVED_S)

        buyer.broker.order, buyer.broker.trades = honest  # type: ignore[method-assign]
        await world.run(PROVED_S)

        assert ["filled"] == await world.order_states()
        assert world.venue_position_qty() == await world.position_qty()
        assert "healthy" == buyer.desk.health().state.value


async def with_a_deposit_of_before(world: World) -> Node:
    """The symbol only reduces from then on, so the order that is lost is the way out of a position."""
    turner = await world.start(turner_of(world))
    await world.quote("1.1000")
    await world.run(3 * LOOK_S)
    world.venue.transfer("USDT", Decimal(500))
    await world.run(4 * LOOK_S)
    world.fault("submit", Effect.LOST)
    await world.quote("1.1000")
    return turner


def turner_of(world: World) -> Node:
    return world.node("Turner", {"turns": "bs"}, compare_s=LOOK_S)


async def test_a_deposit_of_before_does_not_forbid_the_proof(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await with_a_deposit_of_before(world)
        await world.run(PROVED_S)

        assert ["filled", "abandoned"] == await world.order_states()


async def test_a_deposit_of_before_a_takeover_is_remembered(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        (await with_a_deposit_of_before(world)).crash()

        await world.start(turner_of(world), Succession.PROVED_DEATH)
        await world.run(PROVED_S)

        assert ["filled", "abandoned"] == await world.order_states()


async def test_a_deposit_after_it_was_sent_waits_for_a_persons_word(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(node(world))
        world.fault("submit", Effect.LOST)
        await world.quote("1.1000")
        world.venue.transfer("USDT", Decimal(500))
        await world.run(PROVED_S)
        assert ["unknown"] == await world.order_states()

        asked = adjustment_requested("paper", "USDT", Decimal(500), by="Ada", reason="a deposit")
        await world.store.append([asked], node="operator", fence=None)
        await world.run(PROVED_S)

        assert ["abandoned"] == await world.order_states()


async def test_what_is_unexplained_is_journaled_by_asset(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(node(world))
        world.venue.transfer("EUR", Decimal(5))
        await world.run(4 * LOOK_S)
        world.venue.transfer("EUR", Decimal(-5))
        await world.run(4 * LOOK_S)

        told = [fact for fact in await world.facts("desk.reconciled") if isinstance(fact, DeskReconciled)]
        assert [None, {"EUR": Decimal(5)}, {}] == [fact.unexplained for fact in told]
