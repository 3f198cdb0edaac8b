"""With orders in doubt and trades of nobody, a start or a poll asks for each order once, not once for each trade."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.desk.world import SYMBOL, World
from trading_orchestrator.brokers.port import NewOrder, OrderReport, OrdType, Side
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.kernel.tenancy import Succession

NAMELESS = NewOrder("", SYMBOL, Side.SELL, OrdType.LIMIT, Decimal(5), Decimal("1.2000"))


async def test_trades_of_nobody_do_not_multiply_the_questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with await World.open(tmp_path) as world:
        first = await world.start(world.node("Buyer", {"px": "1.0900", "orders": 3}))
        world.fault("submit", Effect.LOST, times=3)
        for bid_px in ("1.1000", "1.1001", "1.1002"):
            await world.quote(bid_px)
        first.crash()
        world.venue.accept(NAMELESS)
        for number in range(5):
            await world.quote(f"1.200{number}", qty=1)
        assert 5 == len(world.venue.trades(SYMBOL))
        second = world.node("Buyer", {"px": "1.0900", "orders": 3})
        asked: Counter[str] = Counter()
        ask = second.broker.order

        async def counted(symbol: str, cl_ord_id: str) -> OrderReport:
            asked[cl_ord_id] += 1
            return await ask(symbol, cl_ord_id)

        monkeypatch.setattr(second.broker, "order", counted)
        await world.start(second, Succession.EXPIRED)
        in_doubt = [cl_ord_id for cl_ord_id, _ in world.submits]

        assert 3 == len(in_doubt)
        # Once by the start, once by whoever asks on.
        assert dict.fromkeys(in_doubt, 2) == {each: asked[each] for each in in_doubt}


async def test_nor_do_they_in_a_poll(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with await World.open(tmp_path) as world:
        rarely: dict[str, Any] = {"ask_longest_s": 9e3, "quarantine_s": 9e3, "grace_s": 9e3, "poll_orders_s": 30.0}
        node = await world.start(
            world.node("Buyer", {"px": "1.0900", "orders": 3}, poll_trades_s=20.0, ask_first_s=100.0, **rarely)
        )
        world.venue.on_report.clear()  # of the trades the poll alone can tell
        world.fault("submit", Effect.LOST, times=3)
        for bid_px in ("1.1000", "1.1001", "1.1002"):
            await world.quote(bid_px)
        await world.run(5.0)
        world.venue.accept(NAMELESS)
        for number in range(5):
            await world.quote(f"1.200{number}", qty=1)
        asked: Counter[str] = Counter()
        ask = node.broker.order

        async def counted(symbol: str, cl_ord_id: str) -> OrderReport:
            asked[cl_ord_id] += 1
            return await ask(symbol, cl_ord_id)

        monkeypatch.setattr(node.broker, "order", counted)
        await world.run(20.0)

        assert 5 == len(await world.facts("trade.booked"))
        # Once by the poll, once by whoever asks on after it.
        assert {cl_ord_id: 2 for cl_ord_id, _ in world.submits} == {each: asked[each] for each, _ in world.submits}
