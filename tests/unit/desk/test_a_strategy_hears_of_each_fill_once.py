"""A strategy is told of each quantity once, whichever fact brings it, over takeovers and inferences (on_fill)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from tests.unit.desk.world import GRACE_S, SYMBOL, Node, World
from tests.unit.trading_core.desk_scene import Scene
from trading_orchestrator.brokers.port import OrderNotFound, OrderReport, TradeReport, VenueStatus
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading import resolve
from trading_orchestrator.trading.orders.amends import of_hole_past_grace
from trading_orchestrator.trading.orders.fills import fill_of
from trading_orchestrator.trading.orders.finding import Finding

TEN = Decimal(10)


class Replica:
    """What lies between a node and its venue: order queries may know nothing, trades may be hidden or be nameless."""

    def __init__(self) -> None:
        self.knows_orders = True
        self.shown_most = 1_000
        self.names_orders = True

    def before(self, node: Node) -> Node:
        trades, trades_of, order = node.broker.trades, node.broker.trades_of, node.broker.order

        def shown(told: Sequence[TradeReport]) -> list[TradeReport]:
            found = list(told)[: self.shown_most]
            return found if self.names_orders else [structs.replace(each, cl_ord_id="") for each in found]

        async def some(symbol: str, **since: Any) -> list[TradeReport]:
            return shown(await trades(symbol, **since))

        async def some_of(symbol: str, venue_order_id: str) -> list[TradeReport]:
            return shown(await trades_of(symbol, venue_order_id))

        async def known(symbol: str, cl_ord_id: str) -> OrderReport:
            if not self.knows_orders:
                raise OrderNotFound("-2013", venue_code="-2013", text="Order does not exist.")
            return await order(symbol, cl_ord_id)

        node.broker.trades, node.broker.trades_of, node.broker.order = some, some_of, known  # type: ignore[method-assign]
        return node


async def buy_unheard(world: World, replica: Replica) -> Node:
    """Buy 10 at the market: neither the answer nor a frame comes."""
    node = await world.start(replica.before(world.node("Buyer", {"orders": 1}, compare_s=1.0)))
    world.fault("submit", Effect.NO_ANSWER)
    world.fault("report", Effect.DROPPED, times=1000)
    await world.quote("1.1000")
    return node


def heard_qty(node: Node) -> Decimal:
    assert node.desk._shift is not None
    return node.desk._shift.floor.performers[0].strategy.state.filled_qty  # type: ignore[no-any-return]


async def heir_of(world: World, node: Node, replica: Replica) -> Node:
    node.crash()
    heir = replica.before(world.node("Buyer", {"orders": 1}, compare_s=1.0))
    return await world.start(heir, Succession.PROVED_DEATH)


async def test_a_trade_that_found_its_order_later_is_told(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        replica = Replica()
        replica.knows_orders = replica.names_orders = False
        node = await buy_unheard(world, replica)
        await world.run(1.5)
        assert (Decimal(0), ["unknown"]) == (heard_qty(node), await world.order_states())
        assert 1 == (await world.kinds()).count("trade.booked")

        replica.knows_orders = True
        await world.run(3)

        assert (TEN, ["filled"]) == (heard_qty(node), await world.order_states())
        assert 1 == (await world.kinds()).count("trade.attributed")
        heir = await heir_of(world, node, replica)
        await world.run(1)
        assert TEN == heard_qty(heir), "told once"


async def test_a_successor_is_told_of_what_its_predecessor_was_not(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        replica = Replica()
        replica.knows_orders = replica.names_orders = False
        node = await buy_unheard(world, replica)
        await world.run(1.5)
        told = node.desk._shift
        assert told is not None
        told._intake._listener = told._intake._listener._replace(on_fill=lambda *_: None)  # it dies before it tells

        replica.knows_orders = True
        while "trade.attributed" not in await world.kinds():
            await world.run(0.01)
        heir = await heir_of(world, node, replica)
        await world.run(1)

        assert TEN == heard_qty(heir)


async def test_an_inferred_fill_is_told_and_the_trades_that_replace_it_are_not_told_again(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        replica = Replica()
        replica.shown_most = 0
        node = await buy_unheard(world, replica)
        await world.run(GRACE_S + 3)
        assert 1 == (await world.kinds()).count("trade.inferred")
        assert (TEN, TEN) == (heard_qty(node), await world.position_qty())

        replica.shown_most = 1_000
        await world.run(10)

        assert 1 == (await world.kinds()).count("trade.booked")
        assert (TEN, TEN) == (heard_qty(node), await world.position_qty())
        heir = await heir_of(world, node, replica)
        await world.run(1)
        assert TEN == heard_qty(heir)


async def test_real_trades_are_told_as_far_as_they_go_beyond_an_inference(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        replica = Replica()
        replica.shown_most = 0
        node = await world.start(replica.before(world.node("Buyer", {"orders": 1, "px": "1.0500"}, compare_s=1.0)))
        await world.quote("1.1000")
        await world.run(0.5)
        world.fault("report", Effect.DROPPED, times=1000)
        await world.quote("1.0400", "1.0499", qty=4)
        await world.quote("1.1000")
        await world.run(GRACE_S + 4)
        assert (Decimal(4), ["partially_filled"]) == (heard_qty(node), await world.order_states())

        await world.quote("1.0400", "1.0499", qty=6)
        await world.run(0.01)
        trades = world.venue.trades(SYMBOL, None, None)
        merged = structs.replace(trades[0], last_qty=TEN)  # a venue may tell of both as one
        assert node.desk._shift is not None
        node.desk._shift.on_report(merged)
        await world.run(1)

        assert (TEN, TEN) == (heard_qty(node), await world.position_qty())


def infer(scene: Scene, cl: str, cum_qty: str, *, told: bool) -> Decimal:
    """Let a hole up to this sum outlive its grace; return what a strategy hears of it."""
    scene.hear(scene.report(cl, VenueStatus.PARTIALLY_FILLED, cum_qty=Decimal(cum_qty)))
    finding = of_hole_past_grace(scene.journal.book, cl, px=TEN, at_ns=scene.journal.now_ns)
    (body,) = finding.facts
    written = msgspec.to_builtins(body)
    if not told:
        written.pop("told", None)  # as a release wrote it that told nobody
    body = msgspec.convert(written, f.TradeInferred)
    scene.journal.record(body)
    return told_qty(body)


def told_qty(*facts: f.Body) -> Decimal:
    return sum((fill[1].last_qty for body in facts if (fill := fill_of(body)) is not None), Decimal(0))


@pytest.mark.parametrize(
    ("old_to", "new_to", "inferred", "traded"),
    [
        ("10", "", ["0"], ["4", "6"]),
        ("", "10", ["10"], ["0", "0"]),
        ("3", "5", ["0", "2"], ["3", "5"]),
        ("6", "7", ["0", "1"], ["4", "5"]),
    ],
    ids=["an old release's", "this one's", "both", "both, the old one in two"],
)
def test_an_inference_that_nobody_was_told_of_is_told_with_its_trades(
    old_to: str, new_to: str, inferred: list[str], traded: list[str]
) -> None:
    scene = Scene()
    cl = scene.send("10")

    heard = [infer(scene, cl, cum_qty, told=cum_qty == new_to) for cum_qty in (old_to, new_to) if cum_qty]
    by_trades = [told_qty(*scene.hear(scene.trade(cl, key, qty)).facts) for key, qty in (("t1", "4"), ("t2", "6"))]

    assert (inferred, traded) == ([str(qty) for qty in heard], [str(qty) for qty in by_trades])
    assert TEN == sum(heard + by_trades)


def as_written_before(*args: Any, **more: Any) -> Finding:
    """Infer as a release that told nobody of it."""
    return Finding(facts=tuple(structs.replace(body, told=False) for body in of_hole_past_grace(*args, **more).facts))


async def test_an_upgrade_finds_an_inference_that_nobody_was_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await World.open(tmp_path) as world:
        replica = Replica()
        replica.shown_most = 0
        monkeypatch.setattr(resolve, "of_hole_past_grace", as_written_before)
        node = await buy_unheard(world, replica)
        await world.run(GRACE_S + 3)
        assert (Decimal(0), TEN) == (heard_qty(node), await world.position_qty())
        monkeypatch.undo()

        heir = await heir_of(world, node, replica)
        await world.run(1)
        replica.shown_most = 1_000
        await world.run(10)

        assert (TEN, TEN) == (heard_qty(heir), await world.position_qty())
