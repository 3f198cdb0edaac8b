"""Invariant I6: a node that begins on any prefix of the journal ends with the orders and the position of the venue."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.unit.desk.world import SYMBOL, World
from trading_orchestrator.brokers.port import NewOrder, OrdType, Side
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.storage.ports import Fact
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.trading.orders.client_id import is_ours

EVERY = 3
"""Every third commit is tried: each kind of commit is among them, at several places."""


class Copies:
    """A copy of the journal after each commit of one node: what any crash, or any backup, may leave."""

    def __init__(self, world: World, folder: Path, journal: Path) -> None:
        self.paths: list[Path] = []
        self._world = world
        self._folder = folder
        self._journal = journal
        self._append = world.store.append

    async def append(self, *args: Any, **more: Any) -> Sequence[Fact]:
        written = await self._append(*args, **more)
        path = self._folder / f"prefix-{len(self.paths)}.db"
        source, target = apsw.Connection(str(self._journal)), apsw.Connection(str(path))
        with target.backup("main", source, "main") as backup:
            backup.step(-1)
        source.close(True)
        target.close(True)
        if self.paths or any(fact.kind == "account.opened" for fact in written):
            self.paths.append(path)
        return written


async def test_any_prefix_and_a_reconciliation_end_in_the_venues_state(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        journal = world.store
        copies = Copies(world, tmp_path, next(tmp_path.glob("*.db")))
        journal.append = copies.append  # type: ignore[method-assign]
        await trouble(world)
        whole = copies.paths[-1]

        found = {path.name: await begun_on(world, path) for path in [*copies.paths[::EVERY], whole]}
        world.store = journal

    ours = [each for each in world.venue.orders() if is_ours(each.cl_ord_id)]
    orders = {each.cl_ord_id: (each.status.value, each.cum_qty) for each in ours}
    truth = {"orders": orders, "position": world.venue_position_qty()}
    assert {"filled", "canceled", "partially_filled", "new"} == {state for state, _ in orders.values()}
    assert len(found) > 10
    assert {} == {name: state for name, state in found.items() if state != truth}


async def test_a_search_that_nobody_answers_finds_out_nothing(tmp_path: Path) -> None:
    """In the simulation a desk on a restored journal asked in an outage, held nothing for lost, and sent ids twice."""
    async with await World.open(tmp_path) as world:
        journal = world.store
        copies = Copies(world, tmp_path, next(tmp_path.glob("*.db")))
        journal.append = copies.append  # type: ignore[method-assign]
        await trouble(world)
        world.store = await open_store(copies.paths[0], clock=world.clock, inline=True)
        node = world.node("Buyer", {"orders": 0})
        world.fault("order", Effect.LOST, times=1_000)

        with pytest.raises(Transient):
            await world.start(node, Succession.PROVED_DEATH)
        world.faults.clear()
        await world.take(node, Succession.PROVED_DEATH)
        await world.run(1.0)

        assert 1 == (await world.kinds()).count("desk.found_behind")
        await world.until_done(node.desk.close())
        await world.store.close()
        world.store = journal


async def trouble(world: World) -> None:
    """Orders of all sorts: filled, resting, half filled, canceled, unanswered, lost, and a human's among them."""
    node = await world.start(world.node("Buyer", {"orders": 12, "px": "1.0995", "cancel_at_bid": "1.2000"}))
    world.fault("submit", Effect.NO_ANSWER, times=2)
    for number in range(4):
        await world.quote(f"1.{1000 + number}")
    world.fault("report", Effect.DROPPED, times=4)
    await world.quote("1.0990", "1.0994", qty=25)
    await world.run(0.5)
    await world.quote("1.2000")
    await world.run(0.5)
    world.venue.accept(NewOrder("web_1", SYMBOL, Side.BUY, OrdType.MARKET, Decimal(3)))
    for number in range(4):
        await world.quote(f"1.{1000 + number}")
    await world.quote("1.0990", "1.0994", qty=4)
    await world.run(0.3)
    node.crash()
    await world.run(0.5)


async def begun_on(world: World, path: Path) -> dict[str, Any]:
    """Return what a fresh node holds that began on this journal, once it has asked for everything."""
    world.store = await open_store(path, clock=world.clock, inline=True)
    node = await world.start(world.node("Buyer", {"orders": 0}), Succession.PROVED_DEATH)
    await world.run(4.0)
    rows = [row for row in await world.rows("orders") if row["state"] != "abandoned" and is_ours(row["cl_ord_id"])]
    state = {
        "orders": {row["cl_ord_id"]: (row["state"], Decimal(row["cum_qty"])) for row in rows},
        "position": await world.position_qty(),
    }
    await world.until_done(node.desk.close())
    await world.store.close()
    return state
