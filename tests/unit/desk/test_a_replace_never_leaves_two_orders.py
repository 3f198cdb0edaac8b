"""A replace is cancel, proof, and a new intent of what remains: never two live orders, never more than asked for."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.unit.desk.world import SYMBOL, Node, World
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.facts import OrderIntended, ReplacementDropped
from trading_orchestrator.trading.mode_requests import mode_requested

AT_BID = "1.0950"
MOVE = {"at_bid": AT_BID, "to_px": "1.0800"}


async def rest_one(world: World, params: Mapping[str, Any] = MOVE, **desk: Any) -> Node:
    node = await world.start(world.node("Mover", params, **desk))
    await world.quote("1.1000")
    await world.run(0.1)
    assert ["new"] == await world.order_states()
    return node


async def orders(world: World) -> list[tuple[str, str, str]]:
    """Return quantity, price and state of every order, oldest first."""
    rows = sorted(await world.rows("orders"), key=lambda row: row["created_ns"])
    return [(row["order_qty"], row["px"], row["state"]) for row in rows]


async def dropped(world: World) -> list[str]:
    found = await world.facts("replacement.dropped")
    return [fact.reason for fact in found if isinstance(fact, ReplacementDropped)]


def open_counts(world: World) -> list[int]:
    """Return how many orders were open at the venue after each of its reports from now on, by its own account."""
    counts: list[int] = []
    world.venue.on_report.append(lambda _: counts.append(len(world.venue.open_orders([SYMBOL]))))
    return counts


async def test_the_new_order_leaves_after_the_old_one_is_proved_closed(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        counts = open_counts(world)
        node = await rest_one(world)
        await world.quote(AT_BID)
        await world.run(0.5)

        assert [("10", "1.09", "canceled"), ("10", "1.08", "new")] == await orders(world)
        assert 1 == max(counts)
        first, second = await world.facts("order.intended")
        assert isinstance(first, OrderIntended)
        assert isinstance(second, OrderIntended)
        assert first.order.cl_ord_id == second.replaces
        kinds = await world.kinds()
        assert (
            kinds.index("cancel.intended")
            < kinds.index("order.ended")
            < len(kinds) - kinds[::-1].index("order.intended")
        )
        await world.until_done(node.desk.leave(1.0))
        saved = (await world.facts("strategy.saved"))[-1]
        assert second.order.cl_ord_id in bytes(saved.state).decode()  # type: ignore[attr-defined]


async def test_what_traded_before_the_proof_is_taken_off(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await rest_one(world, {**MOVE, "to_qty": "20"})
        await world.quote("1.0800", "1.0900", qty=4)
        await world.quote(AT_BID)
        await world.run(0.5)

        assert [("10", "1.09", "canceled"), ("16", "1.08", "new")] == await orders(world)
        assert Decimal(4) == await world.position_qty() == world.venue_position_qty()


async def test_a_fill_that_wins_the_race_leaves_nothing_to_replace(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await rest_one(world)
        world.fault("cancel", Effect.LOST)
        await world.quote(AT_BID)
        await world.quote("1.0850")
        await world.run(5.0)

        assert [("10", "1.09", "filled")] == await orders(world)
        assert ["10 traded before it closed: nothing remains"] == await dropped(world)
        assert Decimal(10) == world.venue_position_qty()


async def test_a_race_lost_to_a_fill_still_gets_the_larger_quantity_once(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await rest_one(world, {**MOVE, "to_qty": "25"})
        world.fault("cancel", Effect.LOST)
        await world.quote(AT_BID)
        await world.quote("1.0850")
        await world.run(5.0)

        assert [("10", "1.09", "filled"), ("15", "1.08", "new")] == await orders(world)
        assert 2 == len(world.submits)


async def test_a_cancel_without_an_answer_holds_the_new_order_back(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        counts = open_counts(world)
        await rest_one(world)
        world.fault("cancel", Effect.NO_ANSWER)
        world.fault("report", Effect.DROPPED, times=100)
        world.fault("order", Effect.LOST, times=2)
        world.fault("open_orders", Effect.LOST, times=2)
        await world.quote(AT_BID)
        await world.run(0.3)
        assert 1 == len(world.submits)

        await world.run(10.0)

        assert [("10", "1.09", "canceled"), ("10", "1.08", "new")] == await orders(world)
        assert 1 == max(counts)


async def test_a_refused_cancel_leaves_the_order_as_it_was(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await rest_one(world)
        world.fault("cancel", Effect.REFUSED)
        await world.quote(AT_BID)
        await world.run(5.0)

        assert [("10", "1.09", "new")] == await orders(world)
        assert ["the cancel was refused and the order works on as it was"] == await dropped(world)


async def test_a_successor_finishes_what_the_dead_one_began(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        counts = open_counts(world)
        first = await rest_one(world)
        world.fault("cancel", Effect.LOST, times=100)
        await world.quote(AT_BID)
        first.crash()
        world.faults.clear()

        await world.start(world.node("Mover", MOVE), Succession.PROVED_DEATH)
        await world.run(5.0)
        assert [("10", "1.09", "canceled")] == await orders(world)  # no price is known yet
        await world.quote("1.1000")
        await world.run(0.5)

        assert [("10", "1.09", "canceled"), ("10", "1.08", "new")] == await orders(world)
        assert 1 == max(counts)
        assert 2 == len(world.submits)


async def test_terms_beyond_a_limit_are_refused_and_the_order_stays(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await rest_one(
            world, {"at_bid": AT_BID, "to_qty": "60"}, risk={"max_position_qty": "50", "max_orders_per_s": 1000}
        )
        await world.quote(AT_BID)
        await world.run(0.5)

        assert [("10", "1.09", "new")] == await orders(world)
        assert "cancel.intended" not in await world.kinds()


async def test_the_room_of_the_old_order_is_the_new_ones(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        limits = {"max_position_qty": "12", "max_open_orders": 1, "max_orders_per_s": 1000}
        await rest_one(world, {"at_bid": AT_BID, "to_qty": "12"}, risk=limits)
        await world.quote(AT_BID)
        await world.run(0.5)

        assert [("10", "1.09", "canceled"), ("12", "1.09", "new")] == await orders(world)


async def test_a_desk_killed_meanwhile_sends_no_new_order(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await rest_one(world)
        world.fault("cancel", Effect.LOST)
        await world.quote(AT_BID)
        request = mode_requested("paper", "killed", by="Ada", reason="a drill")
        await world.store.append([request], node="operator", fence=None)
        await world.run(5.0)

        assert [("10", "1.09", "canceled")] == await orders(world)
        assert ["desk paper is killed: this order may not be sent"] == await dropped(world)
