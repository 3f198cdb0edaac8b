"""A wall clock set back an hour delays no question, and a broker's bug ends none (F35, R2, R5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.desk.world import SYMBOL, Node, World
from trading_orchestrator.brokers.port import OrderReport, TradeReport
from trading_orchestrator.brokers.simulated.faults import Effect

HOUR_BACK_NS = -3_600_000_000_000


async def resting(world: World) -> Node:
    """Start a desk with one order that works at the venue."""
    node = await world.start(world.node("Buyer", {"orders": 1, "px": "1.0500"}))
    await world.quote("1.1000")
    await world.run(2)
    assert ["new"] == await world.order_states()
    return node


async def nothing(*_: object, **__: object) -> list[TradeReport]:
    return []


async def test_an_order_that_ended_without_a_word_is_missed_after_a_step_back(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await resting(world)
        world.clock.step_wall(HOUR_BACK_NS)
        world.fault("report", Effect.DROPPED)

        world.venue.cancel(SYMBOL, world.venue.open_orders([SYMBOL])[0].cl_ord_id)
        await world.run(10)

        assert ["canceled"] == await world.order_states()


async def test_a_hole_is_inferred_in_its_grace_after_a_step_back(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await resting(world)
        node.broker.trades = node.broker.trades_of = nothing  # type: ignore[method-assign]
        world.fault("report", Effect.DROPPED, times=5)
        await world.quote("1.0400", "1.0499")
        await world.run(1.2)
        assert "hole.seen" in await world.kinds()

        world.clock.step_wall(HOUR_BACK_NS)
        await world.run(10)

        assert "trade.inferred" in await world.kinds()


async def test_a_cancel_in_flight_is_asked_for_after_a_step_back(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = world.node("Buyer", {"px": "1.0900", "cancel_at_bid": "1.2000"}, poll_orders_s=30.0, poll_trades_s=60.0)
        node.broker.timeout_s = 20.0
        await world.start(node)
        await world.quote("1.1000")
        await world.run(0.2)
        world.fault("report", Effect.DROPPED, times=1000)
        world.fault("cancel", Effect.NO_ANSWER)
        await world.quote("1.2000")

        world.clock.step_wall(HOUR_BACK_NS)
        await world.run(5)

        assert ["canceled"] == await world.order_states()


@pytest.mark.parametrize("question", ["order", "open_orders", "trades"])
async def test_a_brokers_bug_is_logged_and_the_asking_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, question: str
) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer", {"orders": 1, "px": "1.0500"}))
        buggy(node, question, times=2)
        world.fault("submit", Effect.NO_ANSWER)
        world.fault("report", Effect.DROPPED, times=10)
        await world.quote("1.1000")
        await world.run(20)
        world.fault("report", Effect.DROPPED, times=10)
        await world.quote("1.0400", "1.0499")
        await world.run(20)

        assert ["filled"] == await world.order_states()
        assert await world.position_qty() == world.venue_position_qty()
        assert 2 == sum("nobody expected" in line for line in caplog.messages)


def buggy(node: Node, question: str, *, times: int) -> None:
    """Let a broker's question fail in its own code."""
    honest = getattr(node.broker, question)
    left = [times]

    async def ask(*values: Any, **named: Any) -> OrderReport:
        if left[0]:
            left[0] -= 1
            raise KeyError("status")
        answer: OrderReport = await honest(*values, **named)
        return answer

    setattr(node.broker, question, ask)
