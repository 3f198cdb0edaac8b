"""When nothing repairs a desk or its venue it is reduced or halted by a fact, and one command lets it trade again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from tests.unit.desk.world import World
from trading_orchestrator.app.desk_repairs import DeskRepairs
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.health.health_checker import AtOnce
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import Failure
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.mode_requests import mode_requested

VENUE = "broker/practice"
MUTE = Failure("i1", VENUE, "broker.mute", "no answer for 30 s")
DOWN = Failure("i2", "desk/paper", "desk.down", "cannot begin")


class Host:
    """One node that offers repairs for its desk."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        config = OperationsConfig(alerts=AlertsConfig(enabled=False))
        self.manager = PerpetualOperationsManager(config, store=world.store, clock=world.clock, data_dir=folder)
        self.repairs = DeskRepairs(self.manager)
        self.node = world.node("Moody", {"fails_at": "9", "turns_at": "9"})
        self.repairs.watch(self.node.desk, VENUE)
        self.readings = dict.fromkeys((VENUE, "desk/paper"), Health(HealthState.UNHEALTHY, "still fails"))
        for part in self.readings:
            self.manager.add_probe(part, AtOnce(partial(self.readings.__getitem__, part)))

    async def asked(self, action: str, failure: Failure) -> str:
        """Return what the action says, once the desk has had time to follow."""
        asking = asyncio.ensure_future(self.manager.recovery.actions[action](failure))
        await self.world.until_done(asyncio.wait([asking]))
        await self.world.run(1.5)
        return asking.result()

    async def changed(self) -> list[tuple[str, str]]:
        return [
            (each.mode, each.by)
            for each in await self.world.facts("desk.mode_changed")
            if isinstance(each, f.DeskModeChanged)
        ]


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    async with await World.open(tmp_path) as world:
        yield Host(world, tmp_path)


async def test_a_mute_venue_lets_its_desk_only_reduce(host: Host) -> None:
    await host.world.start(host.node)

    said = await host.asked("reduce_desk", MUTE)

    assert "desk paper is to be reduce only; `desk resume paper` lets it trade again" == said
    assert [("reduce_only", "recovery")] == await host.changed()
    assert "reduce_only" == host.node.desk.mode


async def test_a_person_lets_it_trade_again(host: Host) -> None:
    await host.world.start(host.node)
    await host.asked("halt_desk", DOWN)
    assert "halted" == host.node.desk.mode

    request = mode_requested("paper", "normal", by="ada", reason="looked at it")
    await host.world.until_done(host.world.store.append([request], node="operator", fence=None))
    await host.world.run(1.5)

    assert "normal" == host.node.desk.mode


@pytest.mark.parametrize("stricter", ["halted", "draining", "killed"])
async def test_what_a_person_stopped_is_not_loosened(host: Host, stricter: str) -> None:
    await host.world.start(host.node)
    request = mode_requested("paper", stricter, by="ada", reason="a test")
    await host.world.until_done(host.world.store.append([request], node="operator", fence=None))
    await host.world.run(1.5)

    assert f"desk paper is {stricter} already" == await host.asked("reduce_desk", MUTE)
    assert stricter == host.node.desk.mode


async def test_a_desk_that_could_not_begin_begins_halted(host: Host) -> None:
    said = await host.asked("halt_desk", DOWN)
    assert "desk paper is to be halted; `desk resume paper` lets it trade again" == said

    await host.world.start(host.node, Succession.PROVED_DEATH)

    assert "halted" == host.node.desk.mode


@pytest.mark.parametrize("state", [HealthState.HEALTHY, HealthState.DEGRADED])
@pytest.mark.parametrize(("action", "failure"), [("reduce_desk", MUTE), ("halt_desk", DOWN)])
async def test_what_works_again_is_left_alone(host: Host, action: str, failure: Failure, state: HealthState) -> None:
    """Its own word counts: the report calls a part down for some rounds after it has answered."""
    await host.world.start(host.node)
    host.readings[failure.part] = Health(state, "answers")

    with pytest.raises(Refused, match=f"{failure.part} works again: answers"):
        await host.asked(action, failure)

    assert "normal" == host.node.desk.mode
    assert [] == await host.changed()


async def test_another_part_is_refused(host: Host) -> None:
    with pytest.raises(Refused, match="broker/other is no desk of this node"):
        await host.asked("halt_desk", Failure("i3", "broker/other", "broker.mute", ""))
