"""Section 6: a sum without its trades is a hole; its trades are fetched, and only past its grace it is inferred."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.desk.world import GRACE_S, Node, World
from tests.unit.trading_core.desk_scene import Scene
from trading_orchestrator.brokers.port import TradeReport, VenueStatus
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.facts import TradeInferred
from trading_orchestrator.trading.orders.amends import px_of_hole


class Veil:
    """Lets a venue count fills whose trades it does not show yet, as a lagging replica does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.lifted = False

    def over(self, node: Node) -> Node:
        trades_of = node.broker.trades_of

        async def veiled(
            symbol: str, *, after_id: str | None = None, since_ns: int | None = None
        ) -> Sequence[TradeReport]:
            return []

        async def veiled_of(symbol: str, venue_order_id: str) -> Sequence[TradeReport]:
            return (await trades_of(symbol, venue_order_id)) if self.lifted else []

        self._patch.setattr(node.broker, "trades", veiled)
        self._patch.setattr(node.broker, "trades_of", veiled_of)
        return node


async def buy_behind(world: World, veil: Veil) -> Node:
    """A limit order fills; the venue's answer is lost, its stream mute, and its trades are not shown."""
    world.fault("submit", Effect.NO_ANSWER)
    world.fault("report", Effect.DROPPED, times=1000)
    node = await world.start(veil.over(world.node("Turner", {"turns": "b"})))
    await world.quote("1.1000")
    return node


async def test_the_trades_of_a_hole_are_fetched_by_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with await World.open(tmp_path) as world:
        veil = Veil(monkeypatch)
        veil.lifted = True
        await buy_behind(world, veil)
        await world.run(2.0)

        assert "trade.inferred" not in await world.kinds()
        assert ["filled"] == await world.order_states()
        assert Decimal(10) == await world.position_qty()


async def test_a_hole_is_inferred_only_past_its_grace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with await World.open(tmp_path) as world:
        veil = Veil(monkeypatch)
        await buy_behind(world, veil)
        await world.run(GRACE_S)
        assert "order.accepted" in await world.kinds()
        assert Decimal(0) == await world.position_qty()

        await world.run(1.0)

        (inferred,) = await world.facts("trade.inferred")
        assert isinstance(inferred, TradeInferred)
        assert (Decimal(0), Decimal(10)) == (inferred.cum_from, inferred.cum_to)
        assert Decimal("1.1001") == inferred.trade.last_px, "the venue's average, not the mark of 1.10005"
        assert Decimal(10) == await world.position_qty()
        assert ["filled"] == await world.order_states()


@pytest.mark.parametrize(
    ("cum_quote", "px"),
    [("10.6", "1.1"), ("10.5", "1.0833333333"), (None, None), ("4", None)],
    ids=["even", "rounded", "not told", "no more than ours"],
)
def test_its_price_is_what_the_venue_counts_beyond_our_trades(cum_quote: str | None, px: str | None) -> None:
    scene = Scene()
    cl = scene.send()
    scene.hear(scene.trade(cl, "t1", "4", last_px=Decimal("1.0")))
    told = None if cum_quote is None else Decimal(cum_quote)
    report = scene.report(cl, VenueStatus.FILLED, cum_qty=Decimal(10), cum_quote=told)
    scene.hear(report)

    assert (None if px is None else Decimal(px)) == px_of_hole(scene.order(cl), report)


async def test_real_trades_replace_an_inferred_fill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with await World.open(tmp_path) as world:
        veil = Veil(monkeypatch)
        await buy_behind(world, veil)
        await world.run(GRACE_S + 1.5)
        assert 1 == (await world.kinds()).count("trade.inferred")

        veil.lifted = True
        await world.run(40.0)

        assert Decimal(10) == await world.position_qty()
        assert ["booked"] == [row["state"] for row in await world.rows("trades")]
        told = {balance.asset: balance.total for balance in world.venue.balances()}
        assert told == {asset: Decimal(qty) for asset, qty in (await world.rows("desks"))[0]["balances"].items()}


async def test_a_successor_goes_on_asking_for_what_was_inferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await World.open(tmp_path) as world:
        veil = Veil(monkeypatch)
        first = await buy_behind(world, veil)
        await world.run(GRACE_S + 1.5)
        first.crash()
        veil.lifted = True
        await world.start(veil.over(world.node("Turner", {"turns": "b"})), Succession.PROVED_DEATH)
        await world.run(1.0)

        assert ["booked"] == [row["state"] for row in await world.rows("trades")]
        assert Decimal(10) == await world.position_qty()


async def test_a_question_without_an_answer_infers_nothing(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Turner", {"turns": "b"}))
        world.fault("submit", Effect.NO_ANSWER)
        world.fault("report", Effect.DROPPED, times=1000)
        world.fault("trades", Effect.LOST, times=10_000)
        await world.quote("1.1000")
        await world.run(GRACE_S + 10.0)

        assert "order.accepted" in await world.kinds()
        assert "trade.inferred" not in await world.kinds()
