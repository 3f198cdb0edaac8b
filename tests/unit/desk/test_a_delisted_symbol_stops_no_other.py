"""F39: a symbol that the venue knows no more takes no entries, and keeps nobody from the others."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.desk.world import SYMBOL, TICK, Node, World
from trading_orchestrator.brokers.port import NewOrder, OrdType, Side
from trading_orchestrator.kernel.config import ConfigRefused
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.market.port import Instrument
from trading_orchestrator.trading.facts import OrderDoubted, SymbolBlocked
from trading_orchestrator.trading.mode_requests import mode_requested

GONE = "BTC/USDT"
BOTH = [GONE, SYMBOL]
"""The one that goes is asked first."""


async def two_symbols(world: World) -> None:
    world.venue.instruments[GONE] = Instrument(GONE, "BTC", "USDT", TICK, Decimal("0.1"))
    world.venue.show_quote(GONE, Decimal(100), Decimal(101))


def both(world: World, strategy: str = "Buyer", params: dict[str, Any] | None = None, **desk: Any) -> Node:
    return world.node(strategy, {"orders": 0} if params is None else params, symbols=BOTH, **desk)


def humans(symbol: str, name: str, px: str) -> NewOrder:
    return NewOrder(name, symbol, Side.BUY, OrdType.LIMIT, Decimal(1), Decimal(px))


async def blocked(world: World) -> dict[str, str]:
    return {each.symbol: each.code for each in await world.facts("symbol.blocked") if isinstance(each, SymbolBlocked)}


async def test_trades_of_the_others_are_polled_on(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await two_symbols(world)
        await world.start(both(world))
        world.venue.delist(GONE)
        world.venue.on_report.clear()  # no stream: the poll alone can tell of it
        world.venue.show_quote(SYMBOL, Decimal("1.1"), Decimal("1.2"))
        world.venue.accept(humans(SYMBOL, "human", "1.3"))
        await world.run(3.0)

        assert Decimal(1) == await world.position_qty()
        assert {GONE: "symbol.delisted"} == await blocked(world)


async def test_open_orders_of_the_others_are_listed_on(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await two_symbols(world)
        await world.start(both(world))
        world.venue.delist(GONE)
        world.venue.on_report.clear()
        world.venue.accept(humans(SYMBOL, "human", "1.0"))
        await world.run(3.0)

        assert ["new"] == await world.order_states()


async def test_an_order_on_it_is_unknown_then_quarantined_and_never_called_dead(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await two_symbols(world)
        node = both(world, "BuyerOf", {"symbol": GONE, "px": "90", "qty": "1"}, quarantine_s=8.0)
        await world.start(node)
        world.venue.show_quote(GONE, Decimal(100), Decimal(101))
        await world.run(1.0)
        assert ["new"] == await world.order_states()

        world.venue.delist(GONE)
        await world.run(4.0)
        assert ["unknown"] == await world.order_states()
        (doubt,) = await world.facts("order.doubted")
        assert isinstance(doubt, OrderDoubted)
        assert f"the venue knows no symbol {GONE} any more" == doubt.reason
        await world.run(30.0)
        assert ["quarantined"] == await world.order_states()
        assert {GONE: "symbol.delisted"} == await blocked(world)


async def test_a_start_trades_the_others(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await two_symbols(world)
        first = await world.start(both(world, "BuyerOf", {"symbol": GONE, "qty": "1"}))
        world.venue.show_quote(GONE, Decimal(100), Decimal(101))
        await world.run(1.0)
        first.crash()
        world.venue.delist(GONE)
        world.venue.accept(humans(SYMBOL, "a stranger's", "1.0"))
        node = await world.start(both(world, "Buyer", {"orders": 2}), Succession.PROVED_DEATH)
        await world.quote("1.1000")
        await world.run(1.0)

        assert {GONE, SYMBOL} == {each["symbol"] for each in await world.rows("orders") if each["state"] == "filled"}
        assert {GONE: "symbol.delisted"} == await blocked(world)
        assert f"{GONE} takes no new entries: symbol.delisted" in node.desk.health().reason


async def test_an_entry_on_it_is_denied_and_the_strategy_goes_on(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await two_symbols(world)
        first = await world.start(both(world, "BuyerOf", {"symbol": GONE, "qty": "1"}))
        world.venue.show_quote(GONE, Decimal(100), Decimal(101))
        await world.run(1.0)
        first.crash()
        world.venue.delist(GONE)
        again = both(world, "BuyerOf", {"symbol": GONE, "qty": "1", "orders": 9})
        node = await world.start(again, Succession.PROVED_DEATH)
        await world.quote("1.1000")
        await world.run(1.0)

        assert 1 == len(world.submits)
        assert "stopped" not in node.desk.health().reason
        assert "strategy s" not in node.desk.health().reason


async def test_a_first_start_on_an_unknown_symbol_is_refused(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        with pytest.raises(ConfigRefused, match="the venue has no `BTC/USDT`"):
            await world.warm(both(world))


async def test_the_kill_switch_is_verified_on_the_others(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await two_symbols(world)
        await world.start(both(world, "Buyer", {"orders": 1, "px": "1.0"}))
        await world.quote("1.1000")
        world.venue.delist(GONE)
        switch = mode_requested("paper", "killed", by="ops", reason="enough")
        await world.store.append([switch], node="ops", fence=None)
        await world.run(3.0)

        assert ["canceled"] == await world.order_states()
        assert "desk.kill_verified" in await world.kinds()
