"""A node that hung or died is an incident of that name on those who live on, over when another one is ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from trading_orchestrator.app.desk_watch import offer_trading_repairs, watch_standby
from trading_orchestrator.app.neighbours import Neighbours
from trading_orchestrator.journal.deaths import Deaths
from trading_orchestrator.journal.incarnation import Ending, Incarnation, note_ending, path_of
from trading_orchestrator.keeper.cluster import Cluster
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.incidents.incident import Incident
from trading_orchestrator.perpetual_operations.incidents.read import incidents_of
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.storage.sqlite import SqliteStore

KILLED, STOOD_STILL = Ending(-9), Ending(-9, stood_still=True)
BOOT = "00000000-0000-0000-0000-000000000000"
WITHIN_S = 30.0


@dataclass
class Host:
    """One node that is looked at from inside, and others with a real incarnation file each."""

    folder: Path
    clock: VirtualClock
    store: SqliteStore
    living: dict[str, Incarnation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.deaths = Deaths(self.folder)
        self.cluster = self.cluster_of("a-1")
        ready = partial(self.cluster.others_ready, self.deaths.lives)
        self.neighbours = Neighbours(ready, self.cluster.has_left, self.deaths, self.clock)
        config = OperationsConfig(alerts=AlertsConfig(enabled=False))
        self.manager = PerpetualOperationsManager(
            config, store=self.store, clock=self.clock, data_dir=self.folder, node="a-1"
        )
        offer_trading_repairs(self.manager, self.neighbours)
        watch_standby(self.manager, self.neighbours)

    def cluster_of(self, node: str) -> Cluster:
        return Cluster(self.store, node=node, pid=1, release="0")

    async def comes(self, node: str) -> None:
        """Another node says READY."""
        self.living[node] = Incarnation.hold(self.folder, node, clock=self.clock, boot_id=BOOT)
        await self.cluster_of(node).say_state("ready", self.clock.wall_ns())

    async def ends(self, node: str, ending: Ending | None = KILLED) -> None:
        """Its process is gone, and its keeper notes how, if it can; return once this node has noticed."""
        if ending is not None:
            note_ending(path_of(self.folder, node), ending)
        self.living.pop(node).close()
        async with asyncio.timeout(WITHIN_S):
            while self.neighbours.waits_for(node):
                await asyncio.sleep(0.01)  # a thread waits in the lock
                await self.clock.advance(0.01)

    async def passes(self, seconds: int) -> None:
        """Let every other node turn its loop for so long."""
        for _ in range(seconds * 10):
            for incarnation in self.living.values():
                incarnation.beat()
            await self.clock.advance(0.1)

    async def standby(self) -> tuple[HealthState, str]:
        health = await self.neighbours.health()
        return health.state, health.failure


@pytest.fixture
async def host(tmp_path: Path, clock: VirtualClock, store: SqliteStore) -> AsyncIterator[Host]:
    host = Host(tmp_path / "incarnations", clock, store)
    yield host
    host.neighbours.close()
    host.deaths.close()
    for incarnation in host.living.values():
        incarnation.close()


@pytest.mark.parametrize(
    ("silent_s", "ending", "failure"),
    [
        (1.6, STOOD_STILL, "node.hang"),
        (1.6, KILLED, "node.death"),  # its host paused, and then somebody killed it
        (0.05, KILLED, "node.death"),
        (1.6, None, "node.hang"),  # no keeper is there to note anything: its last sign of life tells
        (0.05, None, "node.death"),
    ],
)
async def test_what_ended_it_is_told_by_its_keeper_or_its_last_sign_of_life(
    host: Host, silent_s: float, ending: Ending | None, failure: str
) -> None:
    await host.comes("b-1")
    assert (HealthState.HEALTHY, "") == await host.standby()
    host.living["b-1"].beat()
    await host.clock.advance(silent_s)

    await host.ends("b-1", ending)

    assert (HealthState.DEGRADED, failure) == await host.standby()


async def test_a_hang_that_is_asked_about_before_it_is_noted_is_not_told_as_a_death(host: Host) -> None:
    await host.comes("b-1")
    await host.standby()
    host.living["b-1"].beat()
    await host.clock.advance(1.6)
    host.living.pop("b-1").close()

    asked = asyncio.create_task(host.standby())
    await asyncio.sleep(0.02)
    note_ending(path_of(host.folder, "b-1"), STOOD_STILL)
    async with asyncio.timeout(WITHIN_S):
        while not asked.done():
            await asyncio.sleep(0.01)  # a thread waits in the lock
            await host.clock.advance(0.01)

    assert (HealthState.DEGRADED, "node.hang") == await asked


async def test_a_hang_names_the_strategy_that_had_the_loop(host: Host) -> None:
    await host.comes("b-1")
    await host.standby()
    host.living["b-1"].now_running("dizzy")
    await host.clock.advance(1.6)
    await host.ends("b-1", STOOD_STILL)

    told = (await host.neighbours.health()).reason
    assert told.startswith("b-1 had not turned its event loop for 1.")
    assert " s in strategy dizzy and was ended; " in told


async def test_an_end_is_told_once_although_its_replacement_is_ready_already(host: Host) -> None:
    await host.comes("b-1")
    await host.standby()
    await host.ends("b-1")
    await host.comes("b-2")

    assert [(HealthState.DEGRADED, "node.death"), (HealthState.HEALTHY, "")] == [
        await host.standby(),
        await host.standby(),
    ]


async def test_who_leaves_in_order_is_missed_only_when_nobody_comes(host: Host) -> None:
    await host.comes("b-1")
    await host.standby()
    await host.cluster_of("b-1").say_state("left", host.clock.wall_ns())
    await host.ends("b-1")
    assert (HealthState.HEALTHY, "") == await host.standby()

    await host.clock.advance(16.0)

    assert (HealthState.DEGRADED, "node.death") == await host.standby()


async def until(host: Host, holds: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():
            await host.passes(1)
            await asyncio.sleep(0.01)


async def over(host: Host) -> Incident:
    """Return the only incident, as the journal has it."""
    (incident,) = await incidents_of(host.store)
    return incident


async def test_a_hang_is_detected_repaired_by_the_keeper_and_measured(host: Host) -> None:
    await host.comes("b-1")
    host.manager.watch()
    await until(host, lambda: "standby" in {part.name for part in host.manager.report.parts})
    await host.passes(2)
    hung = host.living.pop("b-1")
    await host.clock.advance(1.6)
    host.living["b-1"] = hung
    await host.ends("b-1", STOOD_STILL)
    await until(host, lambda: "standby" in host.manager.incidents.open)
    await host.passes(3)
    await host.comes("b-2")
    await until(host, lambda: not host.manager.incidents.open)
    await host.passes(1)

    incident = await over(host)
    assert ("node.hang", "resolved", "wait_for_keeper") == (incident.failure, incident.state, incident.ended_by)
    assert incident.reason.startswith("b-1 had not turned its event loop for 1.")
    assert incident.detected_after_s is not None
    assert incident.recovered_after_s is not None
    assert 1.0 <= incident.detected_after_s <= 4.0
    assert 3.0 <= incident.recovered_after_s <= 6.0
    await host.manager.unwatch()
