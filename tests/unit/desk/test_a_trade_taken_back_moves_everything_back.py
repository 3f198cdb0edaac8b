"""Busts and corrections: the venue's word, or a named person's for it, moves order, position and balances, once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.desk.world import SYMBOL, Node, World
from trading_orchestrator.brokers.port import TradeAmendment
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.explain import explain
from trading_orchestrator.trading.operator_acts import Act, BustRequested, CorrectionRequested, requested

BY: dict[str, Any] = {"desk": "paper", "by": "Ada", "reason": "the venue's support wrote so"}


async def buy(world: World) -> Node:
    """Return the node, which holds 10 at 1.1001 by trade 1."""
    node = await world.start(world.node("Turner", {"turns": "b"}, compare_s=1.0))
    await world.quote("1.1000")
    await world.run(0.2)
    return node


async def ask(world: World, act: Act) -> None:
    await world.store.append([requested(act)], node="operator", fence=None)
    await world.run(0.3)


async def adds_up(world: World) -> bool:
    """Return whether the next comparisons find that our sums are the venue's."""
    await world.run(4.0)
    return "symbol.blocked" not in await world.kinds() and world.venue_position_qty() == await world.position_qty()


async def answers(world: World) -> list[str]:
    return [fact.text for fact in await world.facts("request.declined")]  # type: ignore[attr-defined]


async def test_the_venues_bust_is_booked(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await buy(world)

        world.venue.bust("1", "clearly erroneous")
        await world.run(0.3)

        assert Decimal(0) == await world.position_qty()
        assert await adds_up(world)
        assert ["expired"] == await world.order_states()
        assert ["clearly erroneous"] == [fact.reason for fact in await world.facts("trade.busted")]  # type: ignore[attr-defined]


async def test_the_venues_correction_is_booked(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await buy(world)

        world.venue.correct("1", Decimal(8), Decimal("1.0900"))
        await world.run(0.3)

        assert Decimal(8) == await world.position_qty()
        assert [("8", "1.09")] == [
            (row["last_qty"], str(Decimal(row["last_px"]).normalize())) for row in await world.rows("trades")
        ]
        assert await adds_up(world)


async def test_a_bust_right_behind_its_trade_waits_for_the_commit(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = world.node("Turner", {"turns": "b"}, compare_s=1.0)
        await world.start(node)
        node.store.append_takes_s = 0.1
        await world.quote("1.1000")
        await world.run(0.11)
        world.venue.bust("1")
        await world.run(1.0)

        assert ["trade.booked", "trade.busted"] == [kind for kind in await world.kinds() if kind.startswith("trade.")]
        assert Decimal(0) == await world.position_qty()


async def test_the_same_bust_told_twice_at_once_counts_once(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await buy(world)
        world.venue.bust("1")
        for inbox in node.broker._inboxes:
            inbox.put(TradeAmendment(SYMBOL, "1", Decimal(0), None, 1))
        await world.run(0.5)

        assert 1 == (await world.kinds()).count("trade.busted")
        assert Decimal(0) == await world.position_qty()


async def test_a_bust_of_a_trade_that_is_not_booked_is_flagged(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await buy(world)
        for inbox in node.broker._inboxes:
            inbox.put(TradeAmendment(SYMBOL, "77", Decimal(0), None, 1))
        await world.run(0.5)

        assert ["trade.unattributed"] == [fact.code for fact in await world.facts("order.flagged")]  # type: ignore[attr-defined]
        assert Decimal(10) == await world.position_qty()


async def test_a_person_takes_a_trade_back_by_name_and_reason(tmp_path: Path) -> None:
    """The venue told by mail: its interface has no word for it (Binance)."""
    async with await World.open(tmp_path) as world:
        node = await buy(world)
        world.venue.on_amendment.clear()
        world.venue.bust("1")
        await ask(world, BustRequested(symbol=SYMBOL, trade_id="1", **BY))
        node.crash()
        await world.start(world.node("Turner", {"turns": ""}, compare_s=1.0), Succession.PROVED_DEATH)

        assert await adds_up(world)
        (busted,) = await world.facts("trade.busted")
        assert ("Ada", "the venue's support wrote so") == (busted.by, busted.reason)  # type: ignore[attr-defined]
        story = await explain(world.store, busted.cl_ord_id)  # type: ignore[attr-defined]
        said = "trade 1 of 10 taken back by the venue (Ada: the venue's support wrote so)"
        assert said in [line.sentence for line in story.lines]


async def test_a_person_corrects_a_trade(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await buy(world)
        world.venue.on_amendment.clear()
        world.venue.correct("1", Decimal(8), Decimal("1.0900"))
        await ask(world, CorrectionRequested(symbol=SYMBOL, trade_id="1", qty=Decimal(8), px=Decimal("1.0900"), **BY))

        assert await adds_up(world)
        assert [("Ada", Decimal(8))] == [
            (fact.by, fact.after.last_qty)  # type: ignore[attr-defined]
            for fact in await world.facts("trade.corrected")
        ]


async def test_what_is_not_booked_or_is_so_already_is_declined(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await buy(world)
        await ask(world, BustRequested(symbol=SYMBOL, trade_id="77", **BY))
        await ask(world, BustRequested(symbol=SYMBOL, trade_id="1", **BY))
        await ask(world, BustRequested(symbol=SYMBOL, trade_id="1", **BY))

        assert [
            "trade 77 on EUR/USDT is not booked",
            "trade 1 on EUR/USDT was taken back already, or is booked so",
        ] == await answers(world)
        assert 1 == (await world.kinds()).count("trade.busted")


def test_a_correction_to_nothing_is_refused() -> None:
    for qty, px in (("0", "1"), ("1", "0"), ("NaN", "1")):
        with pytest.raises(Refused):
            requested(CorrectionRequested(symbol=SYMBOL, trade_id="1", qty=Decimal(qty), px=Decimal(px), **BY))
