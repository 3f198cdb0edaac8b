"""A trade whose order is not found out within some look-ups is not passed over: the poll brings it again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.desk.world import SYMBOL, World
from trading_orchestrator.brokers.port import NewOrder, OrdType, Side
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
