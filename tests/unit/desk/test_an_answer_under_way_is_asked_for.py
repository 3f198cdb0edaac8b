"""Section 8, in flight 2 s: with a longer time-out the venue is asked, and what it does not know may be on its way."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.unit.desk.world import Node, World
from trading_orchestrator.brokers.port import NewOrder
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.config import build
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.orders.answers import of_vanished
from trading_orchestrator.trading.resolve import Doubt

TIMEOUT_S = 20.0
ASKED_WITHIN_S = 4.2


async def patient(world: World, **params: Any) -> Node:
    """Start a desk that waits long for an answer, while frames are lost and no poll is due."""
    node = world.node("Buyer", {"px": "1.0900"} | params, poll_orders_s=30.0, poll_trades_s=60.0)
    node.broker.timeout_s = TIMEOUT_S
    await world.start(node)
    return node


async def test_an_order_in_flight_is_adopted_before_its_answer(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await patient(world)
        world.fault("report", Effect.DROPPED, times=1000)
        world.fault("submit", Effect.NO_ANSWER)
        await world.quote("1.1000")
        await world.run(1.5)
        assert ["pending_new"] == await world.order_states()

        await world.run(ASKED_WITHIN_S)

        assert ["new"] == await world.order_states()
        assert "order.doubted" not in await world.kinds()


async def test_a_cancel_in_flight_is_asked_for_too(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await patient(world, cancel_at_bid="1.2000")
        await world.quote("1.1000")
        await world.run(0.2)
        world.fault("report", Effect.DROPPED, times=1000)
        world.fault("cancel", Effect.NO_ANSWER)
        await world.quote("1.2000")
        await world.run(1.5)
        assert ["new"] == await world.order_states()

        await world.run(ASKED_WITHIN_S)

        assert ["canceled"] == await world.order_states()


async def test_what_the_venue_does_not_know_yet_is_no_doubt(tmp_path: Path) -> None:
    """It may wait for its turn in our own budget: a doubt would say that it cannot be sent any more."""
    async with await World.open(tmp_path) as world:
        node = await patient(world)
        send = node.broker.submit

        async def late(order: NewOrder) -> Any:
            await world.clock.sleep(2 * ASKED_WITHIN_S)
            return await send(order)

        node.broker.submit = late  # type: ignore[method-assign]
        await world.quote("1.1000")
        await world.run(ASKED_WITHIN_S)
        assert ["pending_new"] == await world.order_states()

        await world.run(2 * ASKED_WITHIN_S)

        assert ["new"] == await world.order_states()
        assert "order.doubted" not in await world.kinds()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("poll_orders_s", 31.0, "poll_orders_s: expected `float` <= 30.0"),
        ("poll_trades_s", 61.0, "poll_trades_s: expected `float` <= 60.0"),
        ("compare_s", 600.0, "compare_s: expected `float` <= 60.0"),
        ("symbols", ["BTC/USDT:USDT"], "symbols: expected spot markets only, was BTC/USDT:USDT"),
    ],
)
def test_a_setting_beyond_the_protocol_is_refused_by_its_key(key: str, value: object, said: str) -> None:
    settings = {"broker": "sim", "symbols": ["EUR/USDT"]} | {key: value}

    with pytest.raises(Refused, match=said):
        build(DeskConfig, settings, source="desk")


async def test_a_doubt_that_begins_as_the_last_one_ends_is_asked_for(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer", {"px": "1.0500"}, poll_orders_s=30.0, poll_trades_s=60.0))
        await world.quote("1.1000")
        await world.run(0.5)
        shift = node.desk._shift
        assert shift is not None
        resolver, intake = shift._resolver, shift._intake
        (order,) = intake.book.open_orders()
        is_in_question = resolver._is_in_question

        def doubt_again() -> None:
            intake.conclude(of_vanished(intake.book, order.cl_ord_id, "its cancel was not answered"))
            resolver.watch(order.cl_ord_id)

        def told_for_the_last_time(doubt: Doubt) -> bool:
            resolver._is_in_question = is_in_question  # type: ignore[method-assign]
            asyncio.get_running_loop().call_soon(doubt_again)  # right after this turn, which ends the asking
            return is_in_question(doubt)

        resolver._is_in_question = told_for_the_last_time  # type: ignore[method-assign]
        resolver.watch(order.cl_ord_id)
        await world.run(2.0)

        assert ["new"] == await world.order_states()
        assert 1 == (await world.kinds()).count("order.doubted")
