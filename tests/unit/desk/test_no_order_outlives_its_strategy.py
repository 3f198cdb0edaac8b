"""An order whose strategy is gone from the config is canceled at the next start; what it still fills is booked."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.unit.desk.world import SYMBOL, World
from trading_orchestrator.brokers.simulated.faults import Effect
from trading_orchestrator.kernel.tenancy import Succession

OTHER = [{"name": "other", "class": "tests.unit.desk.strategies:Turner", "params": {"turns": ""}}]
BROKEN = [{"name": "s", "class": "tests.unit.desk.strategies:Unrestorable", "params": {}}]


async def leave_one_resting(world: World) -> None:
    first = await world.start(world.node("Turner", {"turns": "B"}))
    await world.quote("1.1000")
    await world.run(0.2)
    assert ["new"] == await world.order_states()
    first.crash()


async def succeed(world: World, strategies: list[dict[str, Any]], run_s: float = 0.5) -> None:
    await world.start(world.node("Turner", strategies=strategies), Succession.PROVED_DEATH)
    await world.run(run_s)


async def reasons(world: World) -> list[str]:
    return [fact.reason for fact in await world.facts("cancel.intended")]  # type: ignore[attr-defined]


async def test_the_order_of_a_strategy_that_was_removed_is_canceled_by_a_journaled_decision(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await leave_one_resting(world)
        await succeed(world, OTHER)

        assert ["strategy s is not configured any more"] == await reasons(world)
        assert ["canceled"] == await world.order_states()
        assert [] == world.venue.open_orders([SYMBOL])
        kinds = await world.kinds()
        assert kinds.index("desk.reconciled") < kinds.index("cancel.intended")


async def test_a_strategy_that_is_disabled_has_its_order_canceled_too(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await leave_one_resting(world)
        await succeed(world, [{**OTHER[0], "name": "s", "enabled": False}])

        assert ["canceled"] == await world.order_states()


async def test_the_order_of_a_strategy_that_cannot_be_restored_is_canceled(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await leave_one_resting(world)
        await succeed(world, BROKEN)

        assert ["strategy s could not be restored"] == await reasons(world)
        assert ["canceled"] == await world.order_states()


async def test_a_fill_that_wins_the_race_against_that_cancel_is_booked(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await leave_one_resting(world)
        world.fault("cancel", Effect.LOST)
        await succeed(world, OTHER, run_s=0.05)
        await world.quote("1.0800")
        await world.run(5.0)

        assert ["filled"] == await world.order_states()
        assert Decimal(10) == await world.position_qty() == world.venue_position_qty()


async def test_the_order_of_a_strategy_that_stays_is_left_alone(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        await leave_one_resting(world)
        await succeed(world, [*OTHER, {"name": "s", "class": "tests.unit.desk.strategies:Turner", "params": {}}])

        assert [] == await reasons(world)
        assert ["new"] == await world.order_states()
