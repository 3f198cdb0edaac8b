"""Deleting the projections changes nothing but start-up time: they come back from the facts, and so does the desk."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.leases import holder_of
from tests.unit.desk.world import LEASE, Node, World
from trading_orchestrator.cli.main import build
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.storage.ports import Fence, NewFact, Put
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.trading import rebuild
from trading_orchestrator.trading.rebuild import rebuild_rows

PROJECTIONS = ("orders", "order_ids", "trades", "positions", "desks", "snapshot")
FOLLOWER = {"bar_s": 1}
Rows = dict[str, dict[str, Any]]


async def trade(world: World, seconds: int = 6, px: float = 1.1) -> None:
    """Give the bar follower a market that moves."""
    for second in range(seconds):
        bid = f"{px + (second % 3) * 0.001:.4f}"
        await world.quote(bid)
        await world.public_trade(bid)
        await world.run(1.0)


async def start(world: World, succession: Succession = Succession.FIRST) -> Node:
    return await world.start(world.node("BarFollower", FOLLOWER), succession)


async def rows(world: World, *projections: str) -> Rows:
    found: Rows = {}
    for projection in projections or PROJECTIONS:
        found[projection] = {row.key: json.loads(row.value) for row in await world.store.rows(projection, limit=10_000)}
    return found


async def order_of_keys(world: World, projection: str) -> list[str]:
    return [row.key for row in await world.store.rows(projection, limit=10_000)]


async def delete(world: World, *projections: str) -> None:
    puts = [
        Put(projection, row.key, None)
        for projection in projections or PROJECTIONS
        for row in await world.store.rows(projection, limit=10_000)
    ]
    await world.store.append([NewFact("cluster", "rows.deleted", {})], node="test", fence=None, puts=puts)


async def test_a_desk_that_finds_its_rows_deleted_writes_the_same_rows_again(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await start(world)
        await trade(world)
        await world.until_done(node.desk.leave(1.0))
        before = await rows(world, "orders", "order_ids", "trades", "positions")
        assert len(before["orders"]) > 3
        await delete(world)
        assert {"orders": {}} == await rows(world, "orders")

        await start(world, Succession.HANDED_OVER)
        assert before == await rows(world, "orders", "order_ids", "trades", "positions")
        assert (await world.kinds()).count("projections.rebuilt") >= 1


async def test_decisions_and_bookings_go_on_as_if_nothing_had_been_deleted(tmp_path: Path) -> None:
    told = []
    for is_deleted in (False, True):
        folder = tmp_path / str(is_deleted)
        folder.mkdir()
        async with await World.open(folder) as world:
            node = await start(world)
            await trade(world)
            node.crash()
            if is_deleted:
                await delete(world)
            await start(world, Succession.PROVED_DEATH)
            await trade(world, px=1.2)
            after = await rows(world, "orders", "trades", "positions")
            decided = sorted((row["intent_id"], row["side"], row["cum_qty"]) for row in after["orders"].values())
            told.append((decided, len(after["trades"]), [row["qty"] for row in after["positions"].values()]))
            assert await world.position_qty() == world.venue_position_qty()

    assert told[0] == told[1]


async def test_an_old_trade_told_again_is_not_booked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trading_orchestrator.trading.state.RECENT_TRADES", 2)  # only its row knows an older one
    async with await World.open(tmp_path) as world:
        node = await start(world)
        await trade(world)
        oldest = world.venue.trades("EUR/USDT")[0]
        booked = len((await rows(world, "trades"))["trades"])
        node.crash()
        await delete(world)
        heir = await start(world, Succession.PROVED_DEATH)
        for inbox in heir.broker._inboxes:
            inbox.put(oldest)
        await world.run(1.0)

        assert booked == len((await rows(world, "trades"))["trades"])
        assert booked == (await world.kinds()).count("trade.booked")


async def test_damage_is_written_over_and_what_no_fact_explains_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "ROWS_A_COMMIT", 5)  # so that several commits carry the rows
    async with await World.open(tmp_path) as world:
        node = await start(world)
        await trade(world)
        await world.until_done(node.desk.leave(1.0))
        before, listed = await rows(world), await order_of_keys(world, "orders")
        damaged = next(iter(before["orders"]))
        wrong = [
            Put("orders", damaged, before["orders"][damaged] | {"state": "nonsense"}),
            Put("orders", "nobody", before["orders"][damaged] | {"cl_ord_id": "nobody"}),
            Put("orders", "of another", before["orders"][damaged] | {"desk": "other"}),
            Put("trades", "sim/EUR/USDT/999", {"state": "booked"}),
        ]
        await world.store.append([NewFact("cluster", "rows.damaged", {})], node="test", fence=None, puts=wrong)
        dead = await holder_of(world.store, LEASE)
        row = await world.store.claim_lease(LEASE, holder="operator", ttl_s=60, dead_holder=dead)
        rebuilt = await rebuild_rows(world.store, "paper", node="operator", fence=Fence(LEASE, row.epoch))

        after = await rows(world)
        assert {"of another"} == after["orders"].keys() - before["orders"].keys()
        del after["orders"]["of another"]
        for projection in ("orders", "order_ids", "trades", "positions", "desks"):
            assert before[projection] == after[projection]
        assert listed == [key for key in await order_of_keys(world, "orders") if key != "of another"]
        assert 2 == rebuilt.removed


async def _prepared(folder: Path) -> None:
    async with await World.open(folder) as world:
        node = await start(world)
        await trade(world, 3)
        await world.until_done(node.desk.leave(1.0))
        await delete(world)


async def _held_by(folder: Path, holder: str) -> None:
    """Let a node hold the desk's lease by the real clock, which the command reads."""
    store = await open_store(folder / "journal.db", clock=SystemClock())
    await store.claim_lease(LEASE, holder=holder, ttl_s=60, dead_holder=await holder_of(store, LEASE))
    await store.close()


def invoke(folder: Path, *words: str) -> Any:
    words = ("journal", "rebuild-projections", "--data-dir", str(folder), *words)
    return CliRunner().invoke(build(), list(words), catch_exceptions=False)


async def _counted(folder: Path) -> int:
    async with await World.open(folder) as world:
        return len((await rows(world, "orders"))["orders"])


def test_the_command_writes_them_back_and_says_how_many(tmp_path: Path) -> None:
    asyncio.run(_prepared(tmp_path))
    result = invoke(tmp_path, "--json")

    assert 0 == result.exit_code
    assert json.loads(result.output)["paper"]["rows"] > 3
    assert asyncio.run(_counted(tmp_path)) > 0


def test_the_command_is_refused_while_a_node_holds_the_desk(tmp_path: Path) -> None:
    asyncio.run(_prepared(tmp_path))
    asyncio.run(_held_by(tmp_path, "a-1"))
    with pytest.raises(Refused, match="held by node a-1, which writes its rows: stop the system first"):
        invoke(tmp_path)
