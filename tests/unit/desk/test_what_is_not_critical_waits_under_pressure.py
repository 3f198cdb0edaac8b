"""A strategy that is not critical opens nothing new while its node is short; what reduces, and cancels, go on."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.desk.world import World
from tests.unit.operations.empty_store import EmptyStore
from trading_orchestrator.app.desk_watch import offer_spared_strategies
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.perpetual_operations.monitoring.resources.shedding import STEPS


def strategy(name: str, kind: str, *, critical: bool, **params: Any) -> dict[str, Any]:
    return {"name": name, "class": f"tests.unit.desk.strategies:{kind}", "params": params, "critical": critical}


async def test_new_entries_wait_until_the_pressure_is_over(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        config = [strategy("s", "Buyer", critical=False, orders=1, px="1.0900")]
        node = await world.start(world.node("Buyer", strategies=config))
        node.desk.spare(on=True)
        await world.quote("1.1000")
        await world.quote("1.1001")
        denied, sent = [fact.code for fact in await world.facts("order.denied")], len(world.submits)  # type: ignore[attr-defined]
        node.desk.spare(on=False)
        await world.quote("1.1002")
        await world.run(0.2)

        assert (["risk.load_shed"], 0, ["rejected", "new"]) == (denied, sent, await world.order_states())


@pytest.mark.parametrize(("critical", "states"), [(True, ["new"]), (False, ["rejected"])])
async def test_a_critical_strategy_goes_on(tmp_path: Path, critical: bool, states: list[str]) -> None:
    async with await World.open(tmp_path) as world:
        config = [strategy("s", "Buyer", critical=critical, orders=1, px="1.0900")]
        node = await world.start(world.node("Buyer", strategies=config))
        node.desk.spare(on=True)
        await world.quote("1.1000")
        await world.run(0.2)

        assert states == await world.order_states()


async def test_cancels_and_exits_go_on(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        config = [
            strategy("rests", "Buyer", critical=False, px="1.0500", cancel_at_bid="1.2000"),
            strategy("turns", "Turner", critical=False, turns="bs"),
        ]
        node = await world.start(world.node("Buyer", strategies=config))
        await world.quote("1.1000")
        await world.run(0.3)
        held = await world.position_qty()
        node.desk.spare(on=True)
        await world.quote("1.2000")
        await world.run(0.5)

        assert ["canceled", "filled", "filled"] == sorted(await world.order_states())
        assert (Decimal(10), Decimal(0)) == (held, await world.position_qty())


def test_the_lever_is_offered_only_where_something_may_wait(tmp_path: Path) -> None:
    (step,) = (each for each in STEPS if each.lever == "non_critical_strategies")
    operations = PerpetualOperationsManager(
        OperationsConfig(), store=EmptyStore(), clock=VirtualClock(), data_dir=tmp_path
    )
    offer_spared_strategies(operations, [])
    assert step.lever not in operations.guards.resources.levers


async def test_resource_monitor_spares_every_desk_and_gives_back(tmp_path: Path) -> None:
    async with await World.open(tmp_path) as world:
        config = [strategy("s", "Buyer", critical=False, orders=2, px="1.0900")]
        node = await world.start(world.node("Buyer", strategies=config))
        operations = PerpetualOperationsManager(
            OperationsConfig(), store=EmptyStore(), clock=world.clock, data_dir=tmp_path
        )
        offer_spared_strategies(operations, [node.desk])
        lever = operations.guards.resources.levers["non_critical_strategies"]
        assert lever.restore is not None
        sent: list[int] = []
        for move in (lever.shed, lever.restore, None):
            await world.quote(f"1.100{len(sent)}")
            await world.run(0.1)
            sent.append(len(world.submits))
            if move is not None:
                move()

        assert [1, 1, 2] == sent
