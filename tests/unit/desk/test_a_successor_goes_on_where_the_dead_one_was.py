"""Crash equivalence (I6, I1): at whatever point a node dies, its successor ends where no death would have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.unit.desk.world import Node, World
from trading_orchestrator.brokers.port import NewOrder, OrdType, Side
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.follower import Follower
from trading_orchestrator.trading.lost_orders import Lost, LostOrders
from trading_orchestrator.trading.orders.client_id import is_ours
from trading_orchestrator.trading.strategies.missed_fills import RecentTrades, trades_after

POINTS = ("order.deciding", "order.intended", "order.in_flight", "order.answered")
FaultPoint = Callable[[str], Coroutine[Any, Any, None]]


def held_at(point: str, reached: list[str]) -> FaultPoint:
    """Return a fault point that holds the first who comes to `point`, for ever."""

    async def fault(name: str) -> None:
        if name == point:
            reached.append(name)
            await asyncio.get_running_loop().create_future()

    return fault


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("muted", [False, True])
async def test_a_death_at_any_point_of_the_order_path_doubles_and_loses_nothing(
    tmp_path: Path, point: str, muted: bool
) -> None:
    reached: list[str] = []
    async with await World.open(tmp_path) as world:
        first = await world.start(world.node("Buyer", {"orders": 1}, fault=held_at(point, reached)))
        if muted:
            world.fault("report", Effect.DROPPED, times=1000)
        await world.quote("1.1000")
        await world.run(0.2)
        first.crash()
        assert [point] == reached

        await world.start(world.node("Buyer", {"orders": 1}), Succession.PROVED_DEATH)
        await world.quote("1.1000")
        await world.run(10.0)

        intents = [fact.intent_id for fact in await world.facts("order.intended")]  # type: ignore[attr-defined]
        assert len(set(intents)) == len(intents)
        assert len({cl_ord_id for cl_ord_id, _ in world.submits}) == len(world.submits)
        assert all(is_ours(report.cl_ord_id) for report in world.venue.orders())
        assert {row["cl_ord_id"] for row in await world.rows("orders")} >= {
            report.cl_ord_id for report in world.venue.orders()
        }
        assert set(await world.order_states()) <= {"filled", "abandoned"}
        assert (await world.kinds()).count("trade.booked") == len(world.venue.trades("EUR/USDT"))
        assert await world.position_qty() == world.venue_position_qty()


async def test_a_fill_of_an_order_in_doubt_is_no_sign_of_a_restored_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Binance names a trade's order by its own id only; searching for lost orders costs a takeover 50 ms."""
    searched: list[str] = []

    async def search(lost: LostOrders) -> Lost:
        searched.append("searched")
        return Lost()

    monkeypatch.setattr(LostOrders, "search", search)
    reached: list[str] = []
    async with await World.open(tmp_path) as world:
        trades = world.venue.trades
        monkeypatch.setattr(
            world.venue,
            "trades",
            lambda *args, **kwargs: [msgspec.structs.replace(one, cl_ord_id="") for one in trades(*args, **kwargs)],
        )
        first = await world.start(world.node("Buyer", {"orders": 1}, fault=held_at("order.answered", reached)))
        world.fault("report", Effect.DROPPED, times=1000)
        await world.quote("1.1000")
        await world.run(0.2)
        first.crash()

        await world.start(world.node("Buyer", {"orders": 1}), Succession.PROVED_DEATH)
        await world.run(1.0)

        assert (["order.answered"], []) == (reached, searched)
        assert ["filled"] == await world.order_states()


async def market(world: World, seconds: range) -> None:
    """Two trades and a quote each second, prices by a fixed rule, off the bars' edges."""
    for second in seconds:
        px = 11000 + (second * 7919) % 60
        await world.quote(f"1.{px - 10000:04d}")
        await world.run(0.4)
        await world.public_trade(f"1.{px - 10000:04d}")
        await world.run(1.0 - 0.4 - 0.02)


async def memory_of(world: World, node: Node) -> Any:
    await world.until_done(node.desk.leave(1.0))
    return msgspec.json.decode((await world.facts("strategy.saved"))[-1].state)  # type: ignore[attr-defined]


async def decisions(world: World) -> list[tuple[object, ...]]:
    return [
        (order.symbol, order.side, order.ord_type, order.order_qty, order.px)
        for order in (fact.order for fact in await world.facts("order.intended"))  # type: ignore[attr-defined]
    ]


async def run_in_parts(
    folder: Path, ends: list[int], turns: int | None
) -> tuple[list[tuple[object, ...]], dict[str, Any]]:
    """Run the bar follower; each part ends with a trade that closes a bar.

    Args:
        turns: so many turns of the loop after that trade the node dies and its warm standby takes over; None: never.
    """
    folder.mkdir()
    async with await World.open(folder) as world:
        node = await world.start(world.node("BarFollower"))
        for begin, end in zip([0, *ends], ends, strict=False):
            standby = world.node("BarFollower")
            await world.warm(standby)
            await market(world, range(begin, end))
            world.venue.show_trade("EUR/USDT", Decimal("1.1000"), Decimal(1))
            for _ in range(turns or 0):
                await asyncio.sleep(0)
            if turns is not None:
                node.crash()
                await world.take(standby, Succession.PROVED_DEATH)
                node = standby
            await world.run(0.3)
        return await decisions(world), (await memory_of(world, node))["state"]


UNSENT_TURNS = 2
"""After so many turns the order is intended durably and not sent: nobody can know that, so it has to be given up."""


@pytest.mark.parametrize("turns", [0, 1, 3, 4, 5, 6, 8, 10, 15, 20, 40])
async def test_decisions_on_bars_and_fills_equal_those_of_an_uninterrupted_run(tmp_path: Path, turns: int) -> None:
    ends = [5, 9, 16]
    calm = await run_in_parts(tmp_path / "calm", ends, None)
    deadly = await run_in_parts(tmp_path / "deadly", ends, turns)

    assert len(calm[0]) >= 20
    assert calm == deadly


async def test_an_order_intended_and_not_sent_is_the_one_thing_a_death_takes_away(tmp_path: Path) -> None:
    calm = await run_in_parts(tmp_path / "calm", [5], None)
    deadly = await run_in_parts(tmp_path / "deadly", [5], UNSENT_TURNS)

    assert calm[0] == deadly[0]
    assert calm[1]["fills"] == deadly[1]["fills"] + 1


@pytest.mark.parametrize("strategy", ["Buyer", "Opener"])
@pytest.mark.parametrize("is_warm", [True, False])
async def test_a_fill_booked_but_not_yet_in_the_saved_state_is_told_once_more(
    tmp_path: Path, is_warm: bool, strategy: str
) -> None:
    async with await World.open(tmp_path) as world:
        first = await world.start(world.node(strategy, {"px": "1.0900"}))
        standby = world.node(strategy, {"px": "1.0900"})
        if is_warm:
            await world.warm(standby)
        await world.quote("1.1000")
        await world.run(0.5)
        await world.quote("1.0899")
        assert "trade.booked" in await world.kinds()
        first.crash()
        before = msgspec.json.decode((await world.facts("strategy.saved"))[-1].state)  # type: ignore[attr-defined]
        assert before["state"]["filled_qty"] == "0"

        await world.start(standby, Succession.PROVED_DEATH)
        await world.run(2.0)

        assert (await memory_of(world, standby))["state"]["filled_qty"] == "10"
        assert (await world.kinds()).count("trade.booked") == 1


async def test_trades_older_than_the_followers_memory_are_read_from_the_journal(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer", {"orders": 3}))
        for number in range(3):
            await world.quote(f"1.{1000 + number}")
        await world.run(0.5)
        await world.until_done(node.desk.leave(1.0))
        booked = [fact.seq for fact in await world.store.read(stream="desk/paper") if fact.kind == "trade.booked"]
        book = Book("paper", account="sim", timeline=world.store.journal_id)

        for after, expected in ((0, booked), (booked[0], booked[1:]), (booked[-1], [])):
            found = await trades_after(after, RecentTrades(from_seq=10_000), book, world.store)
            assert [trade.seq for trade in found] == expected


async def test_a_fold_from_a_snapshot_ends_where_a_fold_of_everything_does(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer", {"orders": 5}, snapshot_every_facts=7))
        for number in range(5):
            await world.quote(f"1.{1000 + number}")
        await world.run(0.5)
        await world.until_done(node.desk.leave(1.0))
        whole = Book("paper", account="sim", timeline=world.store.journal_id)
        for fact in await world.store.read(stream="desk/paper"):
            whole.apply_fact(fact)

        follower = Follower("paper", "sim", world.store, world.clock)
        await world.until_done(follower.start())
        await world.until_done(follower.stop())

        assert follower.recent.from_seq > 1
        assert whole.to_snapshot() == follower.book.to_snapshot()


async def test_fills_while_nobody_was_seated_are_told_to_the_strategy(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        first = await world.start(world.node("Buyer", {"px": "1.0900"}))
        await world.quote("1.1000")
        await world.run(0.5)
        first.crash()
        await world.quote("1.0899")

        second = await world.start(world.node("Buyer", {"px": "1.0900"}), Succession.EXPIRED)

        assert await world.position_qty() == world.venue_position_qty() != 0
        assert (await memory_of(world, second))["state"]["filled_qty"] == "10"


async def test_a_humans_trade_while_nobody_was_seated_is_booked_before_a_strategy_runs(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        first = await world.start(world.node("Buyer", {"px": "1.0900"}))
        first.crash()
        await world.quote("1.1000")
        world.venue.accept(NewOrder("human-1", "EUR/USDT", Side.SELL, OrdType.MARKET, Decimal(7)))

        await world.start(world.node("Buyer", {"px": "1.0900"}), Succession.PROVED_DEATH)

        assert await world.position_qty() == Decimal(-7)


async def test_reports_that_come_while_the_venue_is_asked_are_booked_after_the_snapshot(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        first = await world.start(world.node("Buyer", {"px": "1.0900"}))
        await world.quote("1.1000")
        await world.run(0.2)
        first.crash()
        second = world.node("Buyer", {"px": "1.0900"}, poll_trades_s=60.0, poll_orders_s=30.0)
        await world.warm(second)

        world.fault("balances", Effect.LOST)
        taking = asyncio.create_task(world.take(second, Succession.PROVED_DEATH))
        await world.run(0.1)
        await world.quote("1.0899")
        assert not taking.done()
        await taking

        assert await world.order_states() == ["filled"]


async def test_a_handover_leaves_nothing_under_way_and_the_orders_in_place(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        first = await world.start(world.node("Buyer", {"px": "1.0900", "orders": 2}))
        await world.quote("1.1000")
        await world.quote("1.1001")
        await world.run(0.1)
        await world.until_done(first.desk.leave(1.0))
        assert await world.order_states() == ["new", "new"]

        second = await world.start(world.node("Buyer", {"px": "1.0900", "orders": 2}), Succession.HANDED_OVER)
        await world.quote("1.1002")
        await world.run(1.0)

        assert len(world.submits) == 2
        assert second.desk.health().state.value == "healthy"


async def test_a_desk_that_left_can_be_seated_again(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer", {"orders": 2}))
        await world.quote("1.1000")
        await world.run(0.2)
        await world.until_done(node.desk.leave(1.0))

        await world.start(node, Succession.HANDED_OVER)
        await world.quote("1.1001")
        await world.run(0.5)

        assert await world.order_states() == ["filled", "filled"]
