"""A trade whose order is not found out within some look-ups is not passed over: the poll brings it again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from tests.unit.desk.world import SYMBOL, World
from trading_orchestrator.brokers.port import NewOrder, OrdType, Side, TradeReport
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.trading import intake


async def test_the_cursor_of_trades_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy desk sends the next order while one is asked for; in the simulation that hid a human's trade for ever."""
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Buyer", {"orders": 0}))
        await world.quote("1.1000")
        monkeypatch.setattr(intake, "LOOK_UPS", 1)
        world.fault("report", Effect.DROPPED, times=1000)
        world.venue.accept(NewOrder("web_1", SYMBOL, Side.BUY, OrdType.MARKET, Decimal(3)))
        await world.run(10.0)

        assert ([], []) == (await world.facts("trade.booked"), await world.facts("cursor.advanced"))
        monkeypatch.undo()
        await world.run(3.0)

        assert (["trade.booked"], Decimal(3)) == (
            [kind for kind in await world.kinds() if kind == "trade.booked"],
            await world.position_qty(),
        )


async def test_a_desk_that_sends_faster_than_it_asks_places_it_all_the_same(tmp_path: Path) -> None:
    """Any order whose venue id is unknown may be the one; those sent after the trade was heard of cannot be."""
    async with await World.open(tmp_path) as world:
        risk = {"max_orders_per_s": 1_000, "max_open_orders": 1_000}
        node = await world.start(world.node("Buyer", {"orders": 1_000, "px": "1.0900"}, risk=risk, compare_s=60.0))
        node.broker._latency_s = 0.01
        told = node.broker.trades

        async def by_venue_id_alone(symbol: str, **since: Any) -> list[TradeReport]:
            return [structs.replace(trade, cl_ord_id="") for trade in await told(symbol, **since)]

        node.broker.trades = by_venue_id_alone  # type: ignore[method-assign]
        world.fault("submit", Effect.LOST, times=1_000)
        world.fault("report", Effect.DROPPED, times=1_000)
        await world.run(2.0)  # a minute to the next look at balances, which would block the symbol
        await world.quote("1.1000")
        world.venue.accept(NewOrder("web_1", SYMBOL, Side.BUY, OrdType.MARKET, Decimal(3)))
        for number in range(400):
            await world.quote(f"1.1{number:03}")

        assert ["trade.booked"] == [kind for kind in await world.kinds() if kind == "trade.booked"]
