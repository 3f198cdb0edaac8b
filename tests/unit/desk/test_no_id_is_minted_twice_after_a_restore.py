"""F33: the journal is put back to yesterday's, and the first lost ids tell nothing; no id goes out a second time."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from tests.unit.desk.world import SYMBOL, Node, World
from trading_orchestrator.brokers.port import OrderReport
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.trading.lost_orders import FURTHER

ORDERS = 3


async def put_back(world: World, copy: Path) -> None:
    """End every node, and let the copy be the journal."""
    for node in world.nodes:
        await world.until_done(node.desk.leave(1.0))
        await world.until_done(node.desk.close())
    world.nodes.clear()
    await world.store.close()
    journal = copy.with_name("journal.db")
    for suffix in ("", "-wal", "-shm"):
        journal.with_name(f"journal.db{suffix}").unlink(missing_ok=True)
    copy.rename(journal)
    world.store = await open_store(journal, clock=world.clock, inline=True)


def copied(journal: Path) -> Path:
    copy = journal.with_name("copy.db")
    source, target = apsw.Connection(str(journal)), apsw.Connection(str(copy))
    with target.backup("main", source, "main") as backup:
        backup.step(-1)
    source.close()
    target.close()
    return copy


async def send(world: World, *prices: str) -> list[str]:
    """Return the ids sent at these prices, one order each."""
    world.submits.clear()
    for px in prices:
        await world.quote(px)
    await world.run(1)
    return [cl_ord_id for cl_ord_id, _ in world.submits]


@pytest.mark.parametrize("told", ["the first lost order was refused", "no question is answered"])
async def test_no_id_is_used_twice(tmp_path: Path, told: str) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(world.node("Buyer", {"orders": ORDERS, "px": "1.0500"}))
        copy = copied(tmp_path / "journal.db")
        if "refused" in told:
            world.fault("submit", Effect.REFUSED)
        lost = await send(world, "1.1000", "1.1001", "1.1002")
        for order in world.venue.open_orders([SYMBOL]):
            world.venue.cancel(SYMBOL, order.cl_ord_id)
        await put_back(world, copy)
        if "question" in told:
            world.fault("order", Effect.LOST, times=1000)

        await world.start(world.node("Buyer", {"orders": ORDERS, "px": "1.0500"}))
        if "refused" in told:
            assert "desk.found_behind" in await world.kinds()
            return  # the desk may only reduce until a human has looked
        minted = await send(world, "1.1000", "1.1001", "1.1002")

        assert "desk.numbers_skipped" in await world.kinds()
        assert ORDERS == len(lost) == len(minted)
        assert set() == set(lost) & set(minted)


def counted(node: Node) -> list[str]:
    """Return a list that each question for an order by id will be added to."""
    honest, asked = node.broker.order, []

    async def ask(symbol: str, cl_ord_id: str) -> OrderReport:
        asked.append(cl_ord_id)
        return await honest(symbol, cl_ord_id)

    node.broker.order = ask  # type: ignore[method-assign]
    return asked


async def test_only_who_did_not_follow_asks_for_the_next_ids(tmp_path: Path) -> None:
    """A takeover must not wait for answers about a journal that was never put back."""
    async with await World.open(tmp_path) as world:
        first, heir = world.node("Buyer", {"orders": 1, "px": "1.0500"}), world.node("Buyer", {"orders": 1})
        asked, asked_by_heir = counted(first), counted(heir)
        await world.warm(heir)
        await world.start(first)
        await world.quote("1.1000")
        await world.run(1)
        assert ["new"] == await world.order_states()
        first.crash()

        await world.take(heir, Succession.PROVED_DEATH)

        assert 1 + len(FURTHER) == len(asked)
        assert [] == asked_by_heir


@pytest.mark.parametrize("answer", ["never", "proves nothing"])
async def test_without_an_answer_one_question_is_enough_to_leap(tmp_path: Path, answer: str) -> None:
    """More questions in vain would spend the request budget, and keep the desk from its work."""
    async with await World.open(tmp_path) as world:
        node = world.node("Buyer", {"orders": 1, "px": "1.0500"})
        asked = counted(node)
        world.fault("order", Effect.NO_ANSWER if answer == "never" else Effect.LOST, times=1000)

        await world.start(node)

        assert 1 == len(asked)
        assert ["desk.numbers_skipped"] == [kind for kind in await world.kinds() if kind == "desk.numbers_skipped"]
