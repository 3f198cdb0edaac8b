"""Section 8, step 9: a difference seen twice blocks entries until it is explained; no trade is invented for it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.desk.world import SYMBOL, Node, World
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.trading.facts import AccountAdjusted, SymbolBlocked
from trading_orchestrator.trading.mode_requests import adjustment_requested

LOOK_S = 1.0


def node(world: World, turns: str = "bbs") -> Node:
    return world.node("Turner", {"turns": turns}, compare_s=LOOK_S)


async def adjust(world: World, asset: str, qty: str) -> None:
    request = adjustment_requested("paper", asset, Decimal(qty), by="Ada", reason="a deposit")
    await world.store.append([request], node="operator", fence=None)
    await world.run(3 * LOOK_S)


async def test_a_deposit_leaves_only_the_way_out(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        desk = (await world.start(node(world))).desk
        await world.quote("1.1000")
        world.venue._move("USDT", Decimal(500))
        await world.run(4 * LOOK_S)
        await world.quote("1.1000")
        await world.quote("1.1000")
        await world.run(0.2)

        (blocked,) = await world.facts("symbol.blocked")
        assert isinstance(blocked, SymbolBlocked)
        assert (SYMBOL, "balance.unexplained") == (blocked.symbol, blocked.code)
        assert "USDT" in blocked.text
        assert ["filled", "rejected", "filled"] == await world.order_states()
        assert f"{SYMBOL} takes no new entries: balance.unexplained" in desk.health().reason


async def test_one_look_blocks_nothing(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(node(world))
        await world.run(3 * LOOK_S)
        world.venue._move("USDT", Decimal(500))
        await world.run(LOOK_S)
        world.venue._move("USDT", Decimal(-500))
        await world.run(4 * LOOK_S)

        assert "symbol.blocked" not in await world.kinds()


async def test_a_difference_that_goes_away_releases_the_symbol(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        desk = (await world.start(node(world))).desk
        world.venue._move("EUR", Decimal(5))
        await world.run(4 * LOOK_S)
        assert 1 == (await world.kinds()).count("symbol.blocked")

        world.venue._move("EUR", Decimal(-5))
        await world.run(4 * LOOK_S)

        assert 1 == (await world.kinds()).count("symbol.released")
        assert "healthy" == desk.health().state.value


async def test_an_explained_deposit_releases_the_symbol_for_ever(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        first = await world.start(node(world))
        world.venue._move("USDT", Decimal(500))
        await world.run(4 * LOOK_S)
        await adjust(world, "USDT", "500")
        first.crash()
        await world.start(node(world), Succession.PROVED_DEATH)
        await world.run(4 * LOOK_S)

        (adjusted,) = await world.facts("account.adjusted")
        assert isinstance(adjusted, AccountAdjusted)
        assert ("USDT", Decimal(500), "Ada", "a deposit") == (
            *(adjusted.asset, adjusted.qty),
            *(adjusted.by, adjusted.reason),
        )
        kinds = await world.kinds()
        assert (1, 1) == (kinds.count("symbol.blocked"), kinds.count("symbol.released"))
        assert Decimal(0) == await world.position_qty()


def test_an_adjustment_needs_a_name_a_reason_and_a_quantity() -> None:
    for asset, qty, by, reason in (("USDT", "0", "Ada", "x"), ("USDT", "1", "", "x"), ("USDT", "NaN", "Ada", "x")):
        with pytest.raises(Refused):
            adjustment_requested("paper", asset, Decimal(qty), by=by, reason=reason)
