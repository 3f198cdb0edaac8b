"""A human's order whose end nobody told stays reserved for two lists of open orders and no longer (F12, F41)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from tests.unit.desk.world import SYMBOL, TICK, Node, World
from trading_orchestrator.brokers.port import NewOrder, OrderReport, OrdType, Side
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.market.port import Instrument
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.operator_acts import WriteOffRequested, requested

ELSEWHERE = "GBP/USDT"
LIMITS = {"max_orders_per_s": 1000, "max_open_orders": 2, "max_position_qty": "15"}


def human_buys(world: World, name: str = "web_1", symbol: str = SYMBOL, qty: int = 7) -> None:
    world.venue.accept(NewOrder(name, symbol, Side.BUY, OrdType.LIMIT, Decimal(qty), Decimal("1.0500")))


async def start(world: World, orders: int = 0, **more: Any) -> Node:
    node = await world.start(world.node("Buyer", {"orders": orders}, risk=LIMITS), **more)
    await world.quote("1.1000")
    return node


def book_of(node: Node) -> Book:
    assert node.desk._shift is not None
    return node.desk._shift.record.book


async def canceled_without_a_word(world: World, *names: str, symbol: str = SYMBOL) -> None:
    world.fault("report", Effect.DROPPED, times=len(names))
    for name in names:
        world.venue.cancel(symbol, name)
    world.faults.clear()


def noted(node: Node, call: str) -> list[str]:
    """Return where the ids that the node names in such calls will stand."""
    ids, do = [], getattr(node.broker, call)

    async def note(symbol: str, cl_ord_id: str) -> Any:
        ids.append(cl_ord_id)
        return await do(symbol, cl_ord_id)

    setattr(node.broker, call, note)
    return ids


async def test_a_cancel_that_no_frame_told_is_asked_for(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await start(world)
        cancels = noted(node, "cancel")
        human_buys(world, "web_1")
        human_buys(world, "web_2")
        await world.run(1)
        assert Decimal(14) == book_of(node).exposure(SYMBOL).buy_qty

        await canceled_without_a_word(world, "web_1", "web_2")
        await world.run(3)

        assert Decimal(0) == book_of(node).exposure(SYMBOL).buy_qty
        assert ["canceled", "canceled"] == await world.order_states()
        assert [] == cancels


async def test_one_canceled_while_no_desk_ran_keeps_nobody_from_trading(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        first = await start(world)
        human_buys(world, "web_1")
        human_buys(world, "web_2")
        await world.run(1)
        first.crash()
        await canceled_without_a_word(world, "web_1", "web_2")

        node = await start(world, orders=1, succession=Succession.PROVED_DEATH)
        await world.run(3)
        await world.quote("1.1000")
        await world.run(1)

        assert Decimal(10) == await world.position_qty()
        assert 0 == book_of(node).open_order_count


async def test_one_that_the_venue_has_forgotten_is_gone_with_the_second_list(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await start(world)
        human_buys(world)
        await world.run(1)
        await canceled_without_a_word(world, "web_1")
        del world.venue._orders["web_1"]

        await world.run(1.2)
        assert Decimal(7) == book_of(node).exposure(SYMBOL).buy_qty, "one list may have lacked it by chance"

        await world.run(2)
        assert Decimal(0) == book_of(node).exposure(SYMBOL).buy_qty
        assert 1 == (await world.kinds()).count("foreign_order.gone")


async def test_one_without_a_client_id_too_and_it_counts_again_when_it_is_listed_again(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await start(world)
        listed, lists = node.broker.open_orders, [True]

        async def nameless(symbols: Sequence[str]) -> list[OrderReport]:
            return [structs.replace(report, cl_ord_id="") for report in await listed(symbols) if lists[0]]

        node.broker.open_orders = nameless  # type: ignore[method-assign]
        world.fault("report", Effect.DROPPED)
        human_buys(world)
        await world.run(2)
        assert Decimal(7) == book_of(node).exposure(SYMBOL).buy_qty

        lists[0] = False
        await world.run(4)
        assert Decimal(0) == book_of(node).exposure(SYMBOL).buy_qty

        lists[0] = True
        await world.run(2)
        assert Decimal(7) == book_of(node).exposure(SYMBOL).buy_qty
        assert ["new"] == await world.order_states()


async def test_a_failed_question_is_no_end(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await start(world)
        human_buys(world)
        await world.run(1)
        await canceled_without_a_word(world, "web_1")
        world.fault("order", Effect.LOST, times=1000)

        await world.run(10)

        assert Decimal(7) == book_of(node).exposure(SYMBOL).buy_qty


async def test_one_that_lives_though_a_list_lacks_it_stays(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await start(world)
        human_buys(world)
        await world.run(1)

        async def nothing(symbols: Sequence[str]) -> list[OrderReport]:
            return []

        node.broker.open_orders = nothing  # type: ignore[method-assign]
        await world.run(10)

        assert Decimal(7) == book_of(node).exposure(SYMBOL).buy_qty


@pytest.mark.parametrize("fails", [False, True])
async def test_a_symbol_that_the_desk_does_not_trade_is_listed_too(tmp_path: Path, fails: bool) -> None:
    async with await World.open(tmp_path) as world:
        world.venue.instruments[ELSEWHERE] = Instrument(ELSEWHERE, "GBP", "USDT", TICK, Decimal("0.1"))
        node = await start(world)
        human_buys(world, "web_1", ELSEWHERE)
        human_buys(world, "web_2")
        await world.run(1)
        assert 2 == book_of(node).open_order_count
        listed = node.broker.open_orders

        async def of_ours_only(symbols: Sequence[str]) -> Sequence[OrderReport]:
            if ELSEWHERE in symbols and fails:
                raise Transient("-1121 Invalid symbol.")
            return await listed(symbols)

        node.broker.open_orders = of_ours_only  # type: ignore[method-assign]
        await canceled_without_a_word(world, "web_1", symbol=ELSEWHERE)
        await canceled_without_a_word(world, "web_2")
        await world.run(3)

        assert int(fails) == book_of(node).open_order_count


async def test_a_person_may_write_it_off(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await start(world)
        human_buys(world)
        await world.run(1)
        await canceled_without_a_word(world, "web_1")
        world.fault("order", Effect.LOST, times=1000)

        act = WriteOffRequested(desk="paper", cl_ord_id="web_1", by="ops", reason="I canceled it by phone")
        await world.store.append([requested(act)], node="ops", fence=None)
        await world.run(1)

        assert Decimal(0) == book_of(node).exposure(SYMBOL).buy_qty
        assert ["ops"] == [fact.by for fact in await world.facts("foreign_order.gone")]  # type: ignore[attr-defined]


async def test_one_that_filled_without_a_word_is_filled(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await start(world)
        human_buys(world)
        await world.run(1)
        world.fault("report", Effect.DROPPED)
        await world.quote("1.0400", "1.0499")
        await world.run(3)

        assert ["filled"] == await world.order_states()
        assert Decimal(7) == await world.position_qty()
        assert Decimal(0) == book_of(node).exposure(SYMBOL).buy_qty
