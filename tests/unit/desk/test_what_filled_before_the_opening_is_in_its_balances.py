"""An order part filled before the account's first start: its old trades fill it and move no sums (F41, §3)."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.desk.world import SYMBOL, Node, World
from trading_orchestrator.brokers.port import NewOrder, OrdType, Side
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.explain import explain

WHOSE = pytest.mark.parametrize("cl_ord_id", ["web_1", "troabcdefghijklmnopqrst"], ids=["a human's", "ours, lost"])


async def part_filled(world: World, cl_ord_id: str) -> Node:
    """Fill 4 of 10 while no desk ever ran; then start one."""
    await world.quote("1.1000")
    world.venue.accept(NewOrder(cl_ord_id, SYMBOL, Side.BUY, OrdType.LIMIT, Decimal(10), Decimal("1.0500")))
    await world.quote("1.0400", "1.0499", qty=4)
    await world.quote("1.1000")
    node = await world.start(world.node("Buyer", {"orders": 0}, compare_s=1.0))
    await world.run(5)
    return node


def book_of(node: Node) -> Book:
    assert node.desk._shift is not None
    return node.desk._shift.record.book


@WHOSE
async def test_what_is_left_is_reserved_and_nothing_is_booked_again(tmp_path: Path, cl_ord_id: str) -> None:
    async with await World.open(tmp_path) as world:
        book = book_of(await part_filled(world, cl_ord_id))

        assert ["partially_filled"] == await world.order_states()
        assert (Decimal(0), Decimal(6)) == (book.position(SYMBOL).qty, book.exposure(SYMBOL).buy_qty)
        assert ({}, {}) == (book.blocked, book.unexplained)
        assert "trade.booked" not in await world.kinds()
        assert "in the balances" in "\n".join(line.sentence for line in (await explain(world.store, cl_ord_id)).lines)


@WHOSE
async def test_the_rest_of_it_ends_it(tmp_path: Path, cl_ord_id: str) -> None:
    async with await World.open(tmp_path) as world:
        node = await part_filled(world, cl_ord_id)

        await world.quote("1.0400", "1.0499", qty=100)
        await world.quote("1.1000")
        await world.run(5)

        book = book_of(node)
        assert ["filled"] == await world.order_states()
        assert (Decimal(6), Decimal(0)) == (book.position(SYMBOL).qty, book.exposure(SYMBOL).buy_qty)
        assert ({}, {}) == (book.blocked, book.unexplained)
        assert 1 == (await world.kinds()).count("trade.booked")


@WHOSE
async def test_a_successor_knows_it_too(tmp_path: Path, cl_ord_id: str) -> None:
    async with await World.open(tmp_path) as world:
        (await part_filled(world, cl_ord_id)).crash()

        node = await world.start(world.node("Buyer", {"orders": 0}, compare_s=1.0), Succession.PROVED_DEATH)
        await world.run(5)

        book = book_of(node)
        assert (Decimal(0), Decimal(6)) == (book.position(SYMBOL).qty, book.exposure(SYMBOL).buy_qty)
        assert ({}, {}) == (book.blocked, book.unexplained)
        assert 1 == (await world.kinds()).count("trade.attributed")
