"""R4: a trade that belongs to nobody may be the doubted order's (F6), also after it has left memory."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from tests.unit.desk.world import SYMBOL, Node, World
from trading_orchestrator.brokers.port import NewOrder, OrderNotFound, OrderReport, OrdType, Side, TradeReport
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.storage.ports import Put
from trading_orchestrator.trading import state
from trading_orchestrator.trading.mode_requests import mode_requested
from trading_orchestrator.trading.rows import SNAPSHOT

REMEMBERED = 20


@pytest.mark.parametrize("trades_of_others", [0, 3 * REMEMBERED])
async def test_an_order_that_filled_is_never_abandoned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trades_of_others: int
) -> None:
    monkeypatch.setattr(state, "RECENT_TRADES", REMEMBERED)
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer", {"orders": 1}, compare_s=1.0))
        blind(node)
        world.fault("submit", Effect.NO_ANSWER)
        world.fault("report", Effect.DROPPED, times=2)
        await world.quote("1.1000")
        await world.run(1.5)
        assert (["unknown"], Decimal(10)) == (await world.order_states(), await world.position_qty())

        for number in range(trades_of_others):
            side = Side.BUY if number % 2 else Side.SELL
            world.venue.accept(NewOrder(f"web_{number}", SYMBOL, side, OrdType.MARKET, Decimal("0.1")))
        await world.run(15)

        assert "order.abandoned" not in await world.kinds()
        assert trades_of_others + 1 == (await world.kinds()).count("trade.booked")


@pytest.mark.parametrize("step_s", [3600, -3600])
async def test_nor_is_it_when_the_wall_clock_is_an_hour_off_as_it_is_sent(tmp_path: Path, step_s: int) -> None:
    """A trade's time is the venue's, an order's is ours: only the journal tells which came first."""
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer", {"orders": 1}, compare_s=1.0))
        blind(node, venues_ns=-step_s * 1_000_000_000)
        world.fault("submit", Effect.NO_ANSWER)
        world.fault("report", Effect.DROPPED, times=2)
        world.clock.step_wall(step_s * 1_000_000_000)
        await world.quote("1.1000")
        await world.run(20)

        assert Decimal(10) == await world.position_qty()
        assert "order.abandoned" not in await world.kinds()


async def test_nor_is_it_after_an_upgrade_from_a_release_that_noted_no_places(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await world.start(world.node("Buyer", {"orders": 1}, snapshot_every_facts=3))
        blind(node)
        world.fault("submit", Effect.NO_ANSWER)
        world.fault("report", Effect.DROPPED, times=1000)
        await world.quote("1.1000")
        await world.run(3.5)
        assert (["unknown"], Decimal(10)) == (await world.order_states(), await world.position_qty())
        node.crash()
        (row,) = await world.store.rows(SNAPSHOT)
        of_old = Put(SNAPSHOT, row.key, as_older_releases_wrote(row.value))
        fact = mode_requested("paper", "normal", by="ops", reason="an upgrade")
        await world.store.append([fact], node="old", fence=None, puts=[of_old])

        heir = world.node("Buyer", {"orders": 0})
        blind(heir)
        await world.start(heir, Succession.PROVED_DEATH)
        await world.run(30)

        assert "order.abandoned" not in await world.kinds()


def blind(node: Node, *, venues_ns: int = 0) -> None:
    """Let no question find an order, and trades name the venue's id alone, by a clock that much off ours."""
    told = node.broker.trades

    async def by_venue_id_alone(symbol: str, **since: Any) -> list[TradeReport]:
        trades = await told(symbol, **({} if venues_ns else since))
        return [structs.replace(trade, cl_ord_id="", at_ns=trade.at_ns + venues_ns) for trade in trades]

    async def forgotten(symbol: str, cl_ord_id: str) -> OrderReport:
        raise OrderNotFound("-2013", venue_code="-2013", text=f"{symbol} {cl_ord_id}")

    node.broker.trades, node.broker.order = by_venue_id_alone, forgotten  # type: ignore[method-assign]


def as_older_releases_wrote(snapshot: bytes) -> msgspec.Raw:
    """Without the places of orders and trades in the stream, and without a checksum."""
    state = msgspec.json.decode(snapshot)
    for key in ("checksum", "ownerless_forgotten_seq", "unexplained_seq"):
        state.pop(key, None)
    for order in state["orders"]:
        del order["created_seq"]
    state["trades"] = {key: known[:6] for key, known in state["trades"].items()}
    return msgspec.Raw(msgspec.json.encode(state))
