"""I10 at the desk: doubts by the hundred stay within the budget, and a cancel does not wait behind them."""

from __future__ import annotations

from pathlib import Path

from tests.unit.desk.world import Node, World
from trading_orchestrator.brokers.budget import BudgetConfig, Purpose, RequestBudget
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.kernel.tenancy import Succession

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


async def test_after_a_ban_doubts_are_asked_for_at_its_end(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        rarely = {
            "poll_trades_s": 60.0,
            "poll_orders_s": 30.0,
            "compare_s": 60.0,
            "ask_longest_s": 9e3,
            "quarantine_s": 9e3,
            "grace_s": 9e3,
        }
        node = world.node("Buyer", {"px": "1.0900"}, **rarely)  # type: ignore[arg-type]
        node.broker.budget = budget = RequestBudget(BudgetConfig(weight_per_min=PER_MIN), clock=world.clock)
        await world.start(node)
        world.fault("submit", Effect.NO_ANSWER)
        world.fault("order", Effect.LOST, times=100_000)
        world.venue.on_report.clear()  # only asking may help
        await world.quote("1.1000")
        await world.run(12.0)
        budget.pause(90.0)
        world.faults.clear()

        await world.run(89.9)
        asked = budget.state.spent[Purpose.QUESTION]
        assert ["unknown"] == await world.order_states()
        await world.run(1.0)

        assert ["new"] == await world.order_states()
        assert budget.state.spent[Purpose.QUESTION] == asked + 1


async def test_a_takeover_in_a_storm_does_not_wait_for_every_answer(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        dead = await desk_in_a_storm(world)
        await world.run(1.0)
        dead.crash()
        world.faults.clear()
        heir = world.node("Buyer", {"orders": 0}, risk={"max_orders_per_s": 1000, "max_open_orders": 1000})
        heir.broker.budget = budget = RequestBudget(BudgetConfig(weight_per_min=2.5 * PER_MIN), clock=world.clock)
        await world.warm(heir)
        began_ns = world.clock.monotonic_ns()

        await world.take(heir, Succession.PROVED_DEATH)

        assert world.clock.monotonic_ns() - began_ns < 1e9
        assert DOUBTS == (await world.order_states()).count("unknown")
        assert budget.state.spent[Purpose.QUESTION] < DOUBTS
        heir.broker.budget = RequestBudget(BudgetConfig(weight_per_min=60_000.0), clock=world.clock)
        await world.run(8.0)
        assert DOUBTS == (await world.order_states()).count("abandoned")
