"""What we hold as ended and the venue works all the same is found, reserved and told."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from msgspec import structs

from tests.unit.desk.world import SYMBOL, Node, World
from trading_orchestrator.brokers.port import NewOrder, OrderReport, OrdType, Side, VenueStatus
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.errors import Unknown
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.mode_requests import mode_requested


async def canceled(world: World) -> Node:
    """Start a desk, and let its only order be canceled."""
    node = await world.start(world.node("Buyer", {"orders": 1, "px": "1.0500", "cancel_at_bid": "1.2000"}))
    await world.quote("1.1000")
    await world.run(1)
    await world.quote("1.2000")
    await world.run(1)
    assert ["canceled"] == await world.order_states()
    return node


def roll_back(world: World) -> str:
    """Let the venue's engine forget the end of its only order."""
    ((cl_ord_id, order),) = world.venue._orders.items()
    order.status = VenueStatus.NEW
    world.venue._open[cl_ord_id] = order
    return cl_ord_id


async def test_it_is_reserved_again_and_told(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await canceled(world)
        cl_ord_id = roll_back(world)

        await world.run(3)

        assert ["new"] == await world.order_states()
        assert node.desk._shift is not None
        assert Decimal(10) == node.desk._shift.record.book.exposure(SYMBOL).buy_qty
        assert ["order.resurrected"] == [fact.code for fact in await world.facts("order.flagged")]  # type: ignore[attr-defined]
        assert 1 == (await world.kinds()).count("order.reopened"), "told once, however often it is listed"
        assert "degraded" == node.desk.health().state.value
        assert f"alive again after their end: {cl_ord_id}" in node.desk.health().reason


async def test_a_takeover_finds_it_too(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        (await canceled(world)).crash()
        roll_back(world)

        await world.start(world.node("Buyer", {"orders": 1}), Succession.PROVED_DEATH)
        await world.run(3)

        assert ["new"] == await world.order_states()


async def test_the_kill_switch_cancels_it(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await canceled(world)
        roll_back(world)

        await world.store.append([mode_requested("paper", "killed", by="ops", reason="x")], node="ops", fence=None)
        await world.run(3)

        assert [] == world.venue.open_orders([SYMBOL])
        assert ["canceled"] == await world.order_states()
        kinds = await world.kinds()
        assert kinds.index("order.reopened") < kinds.index("desk.kill_verified")


async def test_a_list_alone_is_not_believed(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await canceled(world)
        (cl_ord_id,) = world.venue._orders
        asked: list[str] = []
        stale = structs.replace(world.venue.order(SYMBOL, cl_ord_id), status=VenueStatus.NEW, source="open_orders")
        order_of = node.broker.order

        async def listed(symbols: object) -> list[OrderReport]:
            return [stale]

        async def order(symbol: str, cl_ord_id: str) -> OrderReport:
            asked.append(cl_ord_id)
            return await order_of(symbol, cl_ord_id)

        node.broker.open_orders, node.broker.order = listed, order  # type: ignore[method-assign]
        await world.run(3)

        assert cl_ord_id in asked
        assert ["canceled"] == await world.order_states()
        assert "order.reopened" not in await world.kinds()


async def test_a_list_as_old_as_the_end_is_not_even_asked_about(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = world.node("Buyer", {"orders": 1, "px": "1.0500", "cancel_at_bid": "1.2000"}, quiet_s=5.0)
        await world.start(node)
        await world.quote("1.1000")
        await world.run(1)
        await world.quote("1.2000")
        await world.run(0.1)
        roll_back(world)

        await world.run(4)
        assert ["canceled"] == await world.order_states()

        await world.run(3)
        assert ["new"] == await world.order_states()


async def test_a_fill_of_it_is_no_late_one(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await canceled(world)
        roll_back(world)
        await world.run(3)

        await world.quote("1.0400", "1.0499")
        await world.run(1)

        assert ["filled"] == await world.order_states()
        assert ["order.resurrected"] == [fact.code for fact in await world.facts("order.flagged")]  # type: ignore[attr-defined]
        assert Decimal(10) == await world.position_qty()


async def test_a_humans_order_that_lives_on_counts_again(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer", {"orders": 0}))
        await world.quote("1.1000")
        world.venue.accept(NewOrder("web_1", SYMBOL, Side.BUY, OrdType.LIMIT, Decimal(7), Decimal("1.0500")))
        await world.run(1)
        world.venue.cancel(SYMBOL, "web_1")
        await world.run(1)

        roll_back(world)
        await world.run(3)

        assert node.desk._shift is not None
        assert Decimal(7) == node.desk._shift.record.book.exposure(SYMBOL).buy_qty


class Lost(Unknown):
    """No answer comes for one order."""

    code = "order.no_answer"


async def humans_order_lives_on(world: World) -> Node:
    """Let two orders of ours rest, and a human's that ended here live on: nobody answers for that one alone."""
    node = await world.start(world.node("Buyer", {"orders": 2, "px": "1.0500"}))
    await world.quote("1.1000")
    await world.quote("1.1001")
    world.venue.accept(NewOrder("web_1", SYMBOL, Side.BUY, OrdType.LIMIT, Decimal(7), Decimal("1.0400")))
    await world.run(1)
    world.venue.cancel(SYMBOL, "web_1")
    await world.run(1)
    without_answer(node, "web_1")
    order = world.venue._orders["web_1"]
    order.status = VenueStatus.NEW
    world.venue._open["web_1"] = order
    return node


def without_answer(node: Node, unanswered: str) -> None:
    order_of = node.broker.order

    async def order(symbol: str, cl_ord_id: str) -> OrderReport:
        if cl_ord_id == unanswered:
            raise Lost("no answer")
        return await order_of(symbol, cl_ord_id)

    node.broker.order = order  # type: ignore[method-assign]


async def test_one_that_nobody_answers_for_hides_no_other(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await humans_order_lives_on(world)
        ours = next(each.cl_ord_id for each in world.venue.open_orders([SYMBOL]) if each.cl_ord_id != "web_1")
        world.fault("report", Effect.DROPPED)
        world.venue.cancel(SYMBOL, ours)

        await world.run(5)

        states = {row["cl_ord_id"]: row["state"] for row in await world.rows("orders")}
        assert "canceled" == states[ours]


async def test_a_humans_order_keeps_no_kill_switch_from_its_proof(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await humans_order_lives_on(world)

        await world.store.append([mode_requested("paper", "killed", by="ops", reason="x")], node="ops", fence=None)
        await world.run(3)

        assert ["web_1"] == [each.cl_ord_id for each in world.venue.open_orders([SYMBOL])]
        assert "desk.kill_verified" in await world.kinds()


async def test_the_kill_switch_looks_ever_more_seldom_at_what_nobody_answers_for(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await canceled(world)
        cl_ord_id = roll_back(world)
        order_of, open_orders = node.broker.order, node.broker.open_orders
        without_answer(node, cl_ord_id)
        lists: list[int] = []

        async def counted(symbols: Sequence[str]) -> Sequence[OrderReport]:
            lists.append(world.clock.wall_ns())
            return await open_orders(symbols)

        node.broker.open_orders = counted  # type: ignore[method-assign]
        await world.store.append([mode_requested("paper", "killed", by="ops", reason="x")], node="ops", fence=None)
        await world.run(30)
        polls = 30
        assert polls + 12 >= len(lists), "every 4 s at the end, not every quarter of one"
        assert "desk.kill_verified" not in await world.kinds()

        node.broker.order = order_of  # type: ignore[method-assign]
        await world.run(6)
        assert [] == world.venue.open_orders([SYMBOL])
        assert "desk.kill_verified" in await world.kinds()
