"""What a named person found out ends a block, an unknown order or a difference: by a fact, never by a made-up trade."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from tests.unit.desk.world import SYMBOL, Node, World
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.storage.ports import NewFact
from trading_orchestrator.trading.explain import explain
from trading_orchestrator.trading.operator_acts import (
    PositionAdjustmentRequested,
    ReleaseRequested,
    WriteOffRequested,
    requested,
)
from trading_orchestrator.trading.permit_facts import RequestDeclined

BY: dict[str, Any] = {"desk": "paper", "by": "Ada", "reason": "asked the venue's support"}
QUARANTINE_S = 1.0


async def ask(world: World, request: NewFact) -> None:
    await world.store.append([request], node="operator", fence=None)
    await world.run(0.2)


async def release(world: World) -> None:
    await ask(world, requested(ReleaseRequested(symbol=SYMBOL, **BY)))


async def quarantine_one(world: World, turns: str = "bb") -> tuple[Node, str]:
    """Return the node, and the id of an order that the venue never had and nobody can ask for."""
    node = await world.start(world.node("Turner", {"turns": turns}, quarantine_s=QUARANTINE_S))
    world.fault("submit", Effect.LOST)
    world.fault("order", Effect.LOST, times=1000)
    await world.quote("1.1000")
    await world.run(5.0)
    assert ["quarantined"] == await world.order_states()
    return node, str((await world.rows("orders"))[0]["cl_ord_id"])


async def blocked(world: World) -> dict[str, str]:
    found: dict[str, str] = (await world.rows("desks"))[0]["blocked"]
    return found


async def declined(world: World) -> list[str]:
    return [fact.text for fact in await world.facts("request.declined") if isinstance(fact, RequestDeclined)]


async def test_a_released_symbol_trades_again_while_the_quarantined_order_keeps_its_room(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node, _ = await quarantine_one(world)
        assert {SYMBOL: "order.quarantined"} == await blocked(world)

        await release(world)
        await world.quote("1.1000")
        await world.run(0.2)

        assert {} == await blocked(world)
        assert ["quarantined", "filled"] == await world.order_states()
        assert "blocked" not in node.desk.health().reason


async def test_an_overfills_block_ends_when_somebody_looked(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Turner", {"turns": "bbb"}))
        await world.quote("1.1000")
        await world.run(0.2)
        again = structs.replace(world.venue.trades(SYMBOL)[0], trade_id="77")
        for inbox in node.broker._inboxes:
            inbox.put(again)
        await world.run(0.2)
        assert {SYMBOL: "order.overfilled"} == await blocked(world)
        await release(world)
        await world.quote("1.1000")
        await world.run(0.2)

        assert {} == await blocked(world)
        assert ["filled", "filled"] == await world.order_states()


async def test_the_release_outlives_the_node(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node, _ = await quarantine_one(world, "b")
        await release(world)
        node.crash()
        await world.start(world.node("Turner", {"turns": "bb"}, quarantine_s=QUARANTINE_S), Succession.PROVED_DEATH)
        await world.quote("1.1000")
        await world.run(0.2)

        assert ["quarantined", "filled"] == await world.order_states()


async def test_a_written_off_order_gives_its_room_back_and_tells_who_said_so(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        _, cl_ord_id = await quarantine_one(world)
        await ask(world, requested(WriteOffRequested(cl_ord_id=cl_ord_id, **BY)))

        assert ["abandoned"] == await world.order_states()
        assert {} == await blocked(world)
        story = await explain(world.store, cl_ord_id)
        said = "written off by a named person who looked at the venue: Ada: asked the venue's support"
        assert said == story.lines[-1].sentence


async def test_an_order_that_is_still_asked_for_is_not_written_off(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Turner", {"turns": "B"}))
        await world.quote("1.1000")
        await world.run(0.2)
        (row,) = await world.rows("orders")
        await ask(world, requested(WriteOffRequested(cl_ord_id=row["cl_ord_id"], **BY)))
        await ask(world, requested(WriteOffRequested(cl_ord_id="nonsense", **BY)))

        assert ["new"] == await world.order_states()
        assert [
            f"order {row['cl_ord_id']} is new: only a quarantined order can be written off",
            "no open order nonsense",
        ] == await declined(world)


async def test_an_unexplained_balance_is_not_released_but_explained(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Turner", {"turns": ""}, compare_s=1.0))
        world.venue._move("EUR", Decimal(5))  # a deposit
        await world.run(5.0)
        assert {SYMBOL: "balance.unexplained"} == await blocked(world)

        await release(world)
        assert {SYMBOL: "balance.unexplained"} == await blocked(world)
        (text,) = await declined(world)
        assert "`desk adjust`" in text


async def test_a_symbol_that_is_not_blocked_is_not_released(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Turner", {"turns": ""}))
        await release(world)

        assert [f"{SYMBOL} is not blocked"] == await declined(world)


async def test_a_position_is_adjusted_without_a_trade(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Turner", {"turns": "b"}))
        await world.quote("1.1000")
        await world.run(0.2)
        adjusted = PositionAdjustmentRequested(symbol=SYMBOL, qty=Decimal(-10), px=Decimal("1.1001"), **BY)
        await ask(world, requested(adjusted))
        other = PositionAdjustmentRequested(symbol="BTC/USDT", qty=Decimal(1), px=Decimal(1), **BY)
        await ask(world, requested(other))

        assert Decimal(0) == await world.position_qty()
        assert 1 == len(await world.rows("trades"))
        assert ["BTC/USDT is none of the desk's symbols (EUR/USDT)"] == await declined(world)


def test_an_adjustment_of_nothing_or_at_no_price_is_refused() -> None:
    for qty, px in (("0", "1"), ("1", "0"), ("NaN", "1")):
        with pytest.raises(Refused):
            requested(PositionAdjustmentRequested(symbol=SYMBOL, qty=Decimal(qty), px=Decimal(px), **BY))
