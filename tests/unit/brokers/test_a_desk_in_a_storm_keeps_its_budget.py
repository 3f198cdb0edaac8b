"""I10 at the desk: doubts by the hundred stay within the budget, and a cancel does not wait behind them."""

from __future__ import annotations

from pathlib import Path

from tests.unit.desk.world import Node, World
from trading_orchestrator.brokers.budget import BudgetConfig, Purpose, RequestBudget
from trading_orchestrator.brokers.simulated.faults import Effect

PER_MIN = 240.0
DOUBTS = 100


async def desk_in_a_storm(world: World) -> Node:
    """One order rests; a hundred more were sent into silence, and nothing can be asked about them."""
    node = world.node(
        "Buyer",
        {"orders": DOUBTS + 1, "px": "1.0900", "cancel_at_bid": "1.2000"},
        risk={"max_orders_per_s": 1000, "max_open_orders": 1000},
    )
    await world.start(node)
    await world.quote("1.1000")
    await world.run(0.5)
    world.fault("submit", Effect.LOST, times=DOUBTS)
    world.fault("order", Effect.LOST, times=100_000)
    for number in range(DOUBTS):
        await world.quote(f"1.1{number:03}")
    return node


async def test_doubts_stay_within_the_budget_and_a_cancel_passes_them(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        node = await desk_in_a_storm(world)
        budget = RequestBudget(BudgetConfig(weight_per_min=PER_MIN), clock=world.clock)
        node.broker.budget = budget

        await world.run(60.0)
        spent = budget.state.spent
        assert PER_MIN / 3 < sum(spent.values()) <= PER_MIN * 0.9
        assert 0 < budget.state.waiting[Purpose.QUESTION] <= 8
        canceled: list[int] = []
        world.venue.on_report.append(lambda report: canceled.append(world.clock.monotonic_ns()))
        asked_ns = world.clock.monotonic_ns()
        await world.quote("1.2000")
        await world.run(0.1)

        assert 1 == budget.state.spent[Purpose.CANCEL]
        assert canceled[0] - asked_ns < 50_000_000
