"""Invariant I3: answer, stream and poll may tell a trade any number of times, or only one of them at all."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from tests.unit.desk.world import SYMBOL, World
from trading_orchestrator.brokers.port import NewOrder, OrdType, Side, TradeReport
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.book import CURSOR_MARGIN_NS


async def test_a_trade_told_by_answer_stream_and_poll_is_one_trade(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        world.fault("report", Effect.TWICE, times=1000)
        await world.start(world.node("Buyer", {"orders": 5}))
        for number in range(5):
            await world.quote(f"1.{1000 + number}")
        await world.run(3.0)

        assert (await world.kinds()).count("trade.booked") == 5
        assert await world.position_qty() == Decimal(50)


async def test_a_fill_that_no_frame_told_is_found_by_the_poll(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer", {"px": "1.0900"}))
        await world.quote("1.1000")
        world.fault("report", Effect.DROPPED, times=1000)

        await world.quote("1.0899")
        assert await world.order_states() == ["new"]
        await world.run(2.0)

        assert await world.order_states() == ["filled"]
        await world.until_done(node.desk.leave(1.0))
        saved = (await world.facts("strategy.saved"))[-1]
        assert b'"filled_qty":"10"' in bytes(saved.state)  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(4))
async def test_dropped_doubled_and_swapped_frames_change_nothing(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    async with await World.open(tmp_path, chance.random) as world:
        for effect in (Effect.DROPPED, Effect.TWICE, Effect.SWAPPED):
            world.fault("report", effect, times=1000, ratio=0.3)
        await world.start(world.node("Buyer", {"orders": 20, "px": "1.0995"}))
        for _ in range(40):
            await world.quote(f"1.{chance.randint(985, 999) + 100}", qty=chance.randint(3, 15))
        await world.run(5.0)

        assert len(world.venue.orders()) == 20
        assert await world.position_qty() == world.venue_position_qty()
        reports = {report.cl_ord_id: report.cum_qty for report in world.venue.orders()}
        rows = {row["cl_ord_id"]: Decimal(row["cum_qty"]) for row in await world.rows("orders")}
        assert reports == rows


async def test_a_humans_order_is_booked_and_left_alone(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer", {"px": "1.0900", "cancel_at_bid": "1.2000"}))
        await world.quote("1.1000")
        world.venue.accept(NewOrder("human-1", "EUR/USDT", Side.BUY, OrdType.LIMIT, Decimal(7), Decimal("1.1000")))
        await world.quote("1.0999")
        await world.run(2.0)

        assert await world.position_qty() == Decimal(7)
        foreign = [row for row in await world.rows("orders") if row["foreign"]]
        assert [row["state"] for row in foreign] == ["filled"]
        assert node.desk.health().state.value == "healthy"


async def test_a_humans_trade_that_no_frame_told_is_found_by_the_poll(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Buyer", {"px": "1.0900"}, poll_orders_s=30.0))
        await world.quote("1.1000")
        world.fault("report", Effect.DROPPED, times=1000)
        world.venue.accept(NewOrder("human-1", "EUR/USDT", Side.SELL, OrdType.MARKET, Decimal(7)))
        await world.run(2.0)

        assert await world.position_qty() == Decimal(-7)


async def test_trades_are_asked_for_from_the_cursors_time_on(tmp_path: Path) -> None:
    """For venues that page by time: in a takeover, in polls and for an order in doubt, from before the first one on."""
    async with await World.open(tmp_path) as world:
        first = await world.start(world.node("Turner", {"turns": "bb"}))
        await world.quote("1.1000")
        await world.run(8.0)
        await world.quote("1.1000")
        await world.run(0.2)
        first.crash()
        second = world.node("Turner", {"turns": ""})
        asked: list[tuple[str | None, int | None]] = []
        honest = second.broker.trades

        async def trades(
            symbol: str, *, after_id: str | None = None, since_ns: int | None = None
        ) -> Sequence[TradeReport]:
            asked.append((after_id, since_ns))
            return await honest(symbol, after_id=after_id, since_ns=since_ns)

        second.broker.trades = trades  # type: ignore[method-assign]
        await world.start(second, Succession.PROVED_DEATH)
        await world.run(3.0)

        cursor = world.venue.trades(SYMBOL)[0]
        assert {(cursor.trade_id, cursor.at_ns - CURSOR_MARGIN_NS)} == set(asked)
        assert 2 == len(await world.facts("trade.booked"))


@pytest.mark.parametrize("asks", ["a poll", "a start"])
async def test_a_slow_answer_takes_the_cursor_past_no_trade(tmp_path: Path, asks: str) -> None:
    """A trade may turn up as late as `poll_overlap_s`; what an answer lacks may have turned up on its way here."""
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer", poll_orders_s=30.0, poll_trades_s=0.3))
        await world.quote("1.1000")
        if asks == "a start":
            node.crash()
            node = world.node("Buyer", poll_orders_s=30.0, poll_trades_s=0.3)
        world.fault("report", Effect.DROPPED, times=1000)
        for number in range(2):
            world.venue.accept(NewOrder(f"human-{number}", SYMBOL, Side.SELL, OrdType.MARKET, Decimal(7)))
        turns_up_ns = world.clock.monotonic_ns() + 4_500_000_000
        honest, late_id = node.broker.trades, world.venue.trades(SYMBOL)[-2].trade_id

        async def trades(symbol: str, **after: Any) -> Sequence[TradeReport]:
            left_s = (turns_up_ns - world.clock.monotonic_ns()) / 1e9
            told = [trade for trade in await honest(symbol, **after) if left_s <= 0 or trade.trade_id != late_id]
            await world.clock.sleep(2.0 if 0 < left_s < 0.5 else 0.0)
            return told

        node.broker.trades = trades  # type: ignore[method-assign]
        await world.run(4.1)
        if asks == "a start":
            await world.start(node, Succession.PROVED_DEATH)
        await world.run(3.0)

        assert world.venue_position_qty() == await world.position_qty()


async def test_an_unexplained_difference_is_journaled_and_nothing_is_booked(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Buyer", compare_s=2.0))
        world.venue._move("USDT", Decimal(250))  # a deposit
        await world.run(6.0)

        told = [fact.differences for fact in await world.facts("desk.reconciled")]  # type: ignore[attr-defined]
        assert told == [[], ["USDT: the venue holds 250 more than our trades"]]
        assert "trade.booked" not in await world.kinds()


async def test_trades_right_before_the_opening_are_in_its_balances(tmp_path: Path) -> None:
    """Where ids are no numbers, a trade is known to be newer than the cursor by its time alone."""
    async with await World.open(tmp_path) as world:
        await world.quote("1.1000")
        for number in range(3):
            world.venue.accept(NewOrder(f"human-{number}", SYMBOL, Side.BUY, OrdType.MARKET, Decimal(7)))
            await world.run(0.5)
        node = world.node("Buyer", {"orders": 1})
        told = node.broker.trades

        async def by_time(symbol: str, *, after_id: str | None = None, since_ns: int | None = None) -> Any:
            trades = await told(symbol, since_ns=since_ns)
            return [structs.replace(trade, cl_ord_id="") for trade in trades if trade.trade_id != after_id]

        node.broker.trades = by_time  # type: ignore[method-assign]
        await world.start(node)
        await world.quote("1.1001")
        await world.run(10.0)

        assert 1 == (await world.kinds()).count("trade.booked")
        assert Decimal(10) == await world.position_qty()
        assert "symbol.blocked" not in await world.kinds()
