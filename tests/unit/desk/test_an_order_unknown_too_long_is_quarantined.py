"""Rule R5: past its budget an order is quarantined: still reserved, still asked for, and its symbol only reduces."""

from __future__ import annotations

from pathlib import Path

from tests.unit.desk.world import SYMBOL, TIMEOUT_S, Node, World
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.kernel.tenancy import Succession

BUDGET_S = 5.0
ASK_LONGEST_S = 3.0


def node(world: World, turns: str) -> Node:
    return world.node("Turner", {"turns": turns}, quarantine_s=BUDGET_S, ask_longest_s=ASK_LONGEST_S)


def silence(world: World) -> None:
    """The venue takes the order and tells nobody."""
    world.fault("submit", Effect.NO_ANSWER)
    world.fault("report", Effect.DROPPED, times=1000)
    for question in ("order", "trades", "open_orders", "balances"):
        world.fault(question, Effect.LOST, times=10_000)


async def test_an_order_is_quarantined_when_its_budget_is_spent_and_not_before(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        desk = (await world.start(node(world, "B"))).desk
        silence(world)
        await world.quote("1.1000")
        await world.run(TIMEOUT_S + BUDGET_S - 0.1)
        assert ["unknown"] == await world.order_states()

        await world.run(0.2 + TIMEOUT_S)

        assert ["quarantined"] == await world.order_states()
        assert 1 == (await world.kinds()).count("order.quarantined")
        assert {SYMBOL: "order.quarantined"} == (await world.rows("desks"))[0]["blocked"]
        assert "degraded" == desk.health().state.value
        assert f"{SYMBOL} takes no new entries: order.quarantined" in desk.health().reason


async def test_a_quarantined_symbol_takes_only_orders_that_reduce(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(node(world, "bBbs"))
        await world.quote("1.1000")
        await world.run(0.5)
        silence(world)
        await world.quote("1.1000")
        await world.run(BUDGET_S + 1.0)
        world.faults.clear()
        world.fault("order", Effect.LOST, times=10_000)
        world.fault("open_orders", Effect.LOST, times=10_000)

        await world.quote("1.1000")  # a third entry
        await world.quote("1.1000")  # and the way out
        await world.run(0.5)

        assert ["filled", "quarantined", "rejected", "filled"] == await world.order_states()
        assert ["risk.symbol_blocked"] == [fact.code for fact in await world.facts("order.denied")]  # type: ignore[attr-defined]


async def test_evidence_takes_an_order_out_of_quarantine(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        desk = (await world.start(node(world, "Bb"))).desk
        silence(world)
        await world.quote("1.1000")
        await world.run(BUDGET_S + 2.0)
        assert ["quarantined"] == await world.order_states()

        world.faults.clear()
        await world.run(ASK_LONGEST_S + 1.0)
        assert ["new"] == await world.order_states()
        assert "healthy" == desk.health().state.value

        await world.quote("1.1000")
        await world.run(0.2)
        assert ["new", "filled"] == await world.order_states()


async def test_a_quarantined_order_that_never_arrived_is_abandoned_with_the_proof(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await world.start(node(world, "B"))
        silence(world)
        world.faults.clear()
        world.fault("submit", Effect.LOST)
        world.fault("order", Effect.LOST, times=10_000)
        await world.quote("1.1000")
        await world.run(BUDGET_S + 1.5)
        assert ["quarantined"] == await world.order_states()

        world.faults.clear()
        await world.run(5 * ASK_LONGEST_S)

        assert ["abandoned"] == await world.order_states()


async def test_a_successor_counts_the_budget_from_the_first_doubt(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        first = await world.start(node(world, "B"))
        world.fault("submit", Effect.LOST)
        world.fault("order", Effect.LOST, times=10_000)
        await world.quote("1.1000")
        await world.run(BUDGET_S - 2.0)
        first.crash()
        await world.start(node(world, "B"), Succession.PROVED_DEATH)
        assert ["unknown"] == await world.order_states()

        await world.run(2.0 + TIMEOUT_S)

        assert ["quarantined"] == await world.order_states()
