"""A switch really starts and stops its part, survives a restart, and what is off is neither a failure nor repaired."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import msgspec
import pytest

from tests.unit.operations.empty_store import EmptyStore
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.clock import SystemClock, VirtualClock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.kernel.supervisor import SwitchedOff
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.config import ConsoleConfig, HealthConfig, OperationsConfig, PoolsConfig
from trading_orchestrator.perpetual_operations.feature_table import NAMES
from trading_orchestrator.perpetual_operations.features import PROJECTION, switch
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.perpetual_operations.monitoring.config import HistoryConfig, MonitoringConfig
from trading_orchestrator.perpetual_operations.monitoring.resources.config import ResourcesConfig
from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import Failure
from trading_orchestrator.storage.ports import Fact, Fence, Head, NewFact, ProjectionRow, Put
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.watchdog.config import WatchdogConfig

PARTS = (
    "system_monitor",
    "health_checker",
    "connection_pool_manager",
    "resource_monitor",
    "memory_leak_detector",
    "metrics_history",
    "analytics",
    "alerts",
    "dead_mans_switch",
)
ONLY_WITH_THE_CONSOLE = ("alerts", "dead_mans_switch", "analytics")


class Switchboard(EmptyStore):
    """Keeps the rows of switches, as a journal does; everything else of it is empty."""

    def __init__(self) -> None:
        self.switches: dict[str, bytes] = {}
        self.pos = 0
        self.looks = 0

    async def heads(self) -> Sequence[Head]:
        return [Head("config", self.pos, self.pos, b"")] if self.pos else []

    async def append(
        self, facts: Sequence[NewFact], *, node: str, fence: Fence | None, puts: Sequence[Put] = ()
    ) -> Sequence[Fact]:
        self.pos += 1
        self.switches |= {put.key: msgspec.json.encode(put.value) for put in puts if put.projection == PROJECTION}
        return []

    async def rows(
        self, projection: str, *, before_pos: int | None = None, limit: int = 100
    ) -> Sequence[ProjectionRow]:
        self.looks += projection == PROJECTION
        rows = self.switches.items() if projection == PROJECTION else ()
        return [ProjectionRow(key, value, 1) for key, value in rows]


@asynccontextmanager
async def running(
    tmp_path: Path, *, console: bool, config: OperationsConfig | None = None
) -> AsyncIterator[PerpetualOperationsManager]:
    """A node with a journal that watches itself, and serves the console when told so."""
    clock = SystemClock()
    store = await open_store(tmp_path / "journal.db", clock=clock)
    config = config or OperationsConfig()
    operations = PerpetualOperationsManager(config, store=store, clock=clock, data_dir=tmp_path)
    operations.watch()
    await operations.features.follow()
    if console:
        operations.insights()
        await operations.start()
    try:
        yield operations
    finally:
        await operations.stop()
        await operations.unwatch()
        await store.close()


async def turn(operations: PerpetualOperationsManager, feature: str, on: bool) -> None:
    await switch(operations.store, feature, on, by="ada", reason="a test", node="local", at_ns=1)
    await operations.features.follow()


def runs(operations: PerpetualOperationsManager, part: str) -> bool:
    child = operations.supervisor.children.get(part)
    return child is not None and child.task is not None


@pytest.mark.parametrize("part", PARTS)
async def test_a_switch_stops_its_part_and_starts_it_again(tmp_path: Path, part: str) -> None:
    async with running(tmp_path, console=True) as operations:
        seen = [runs(operations, part)]
        for on in (False, True):
            await turn(operations, part, on)
            seen.append(runs(operations, part))
        facts = await operations.store.read(kinds=["feature.switched"])

    assert [True, False, True] == seen
    assert 2 == len(facts)


@pytest.mark.parametrize("part", [part for part in PARTS if part not in ONLY_WITH_THE_CONSOLE])
async def test_a_node_that_only_watches_itself_follows_as_well(tmp_path: Path, part: str) -> None:
    async with running(tmp_path, console=False) as operations:
        seen = [runs(operations, part)]
        for on in (False, True):
            await turn(operations, part, on)
            seen.append(runs(operations, part))

    assert [True, False, True] == seen


async def test_a_switch_survives_a_restart_and_a_takeover_of_the_console(tmp_path: Path) -> None:
    async with running(tmp_path, console=True) as operations:
        await turn(operations, "alerts", False)
        await turn(operations, "resource_monitor", False)

    async with running(tmp_path, console=False) as operations:
        before = runs(operations, "resource_monitor")
        await operations.start()
        after = [runs(operations, part) for part in ("resource_monitor", "alerts", "dead_mans_switch", "analytics")]
        told = {one.feature: (one.on, one.by) for one in operations.features.statuses()}

    assert (False, [False, False, False]) == (before, after[:3])
    assert ((False, "ada"), (True, "")) == (told["alerts"], told["memory_leak_detector"])


async def test_what_is_off_is_no_failure_and_says_who_switched_it(tmp_path: Path) -> None:
    async with running(tmp_path, console=True) as operations:
        for part in PARTS:
            if part != "health_checker":  # who is not asked says nothing
                await turn(operations, part, False)
        for _ in range(4):  # better counts after three rounds
            await operations.health.check()
        report = await operations.health.check()
        status = operations.status()

    parts = {part.name: (part.state, part.reason) for part in report.parts}
    assert (HealthState.HEALTHY, "switched off: ada: a test") == parts["alerts"]
    assert (HealthState.HEALTHY, "switched off: ada: a test") == parts["memory_leak_detector"]
    assert (HealthState.HEALTHY, "switched off: ada: a test") == parts["cpu"]
    assert status.sentence.startswith("Operations run: ")


async def test_recovery_does_not_restart_what_is_off(tmp_path: Path) -> None:
    async with running(tmp_path, console=True) as operations:
        await turn(operations, "resource_monitor", False)
        failure = Failure("incident-1", "resource_monitor", "component.crash_loop", "looks dead")
        with pytest.raises(Refused):
            await operations.recovery.actions["restart_component"](failure)
        with pytest.raises(SwitchedOff, match="resource_monitor is switched off: ada: a test"):
            await operations.supervisor.restart("resource_monitor")
        operations.supervisor.start("resource_monitor")
        seen = runs(operations, "resource_monitor")

    assert not seen


async def test_recovery_itself_is_switched_and_says_so(tmp_path: Path) -> None:
    async with running(tmp_path, console=True) as operations:
        await turn(operations, "recovery", False)
        off = (operations.recovery.enabled, operations.recovery.health().reason)
        await turn(operations, "recovery", True)
        on = operations.recovery.enabled

    assert ((False, "repairs nothing: switched off"), True) == (off, on)


async def test_every_node_follows_within_a_second(tmp_path: Path) -> None:
    store, clock = Switchboard(), VirtualClock()
    operations = PerpetualOperationsManager(OperationsConfig(), store=store, clock=clock, data_dir=tmp_path)
    operations.watch()
    await asyncio.sleep(0)
    await switch(store, "resource_monitor", False, by="ada", reason="a test", node="operator", at_ns=1)
    await clock.advance(1.0)
    seen = runs(operations, "resource_monitor")
    await operations.unwatch()

    assert not seen


async def test_while_nothing_was_switched_nobody_looks(tmp_path: Path) -> None:
    store, clock = Switchboard(), VirtualClock()
    config = OperationsConfig(
        monitoring=MonitoringConfig(enabled=False), history=HistoryConfig(enabled=False)
    )  # their threads keep real time
    operations = PerpetualOperationsManager(config, store=store, clock=clock, data_dir=tmp_path)
    operations.watch()
    await clock.advance(5.0)
    before = store.looks
    await clock.advance(60.0)
    quiet = store.looks - before
    await operations.features.follow()
    await switch(store, "health_checker", False, by="ada", reason="a test", node="operator", at_ns=1)
    await clock.advance(2.0)
    off = runs(operations, "health_checker")
    await switch(store, "health_checker", True, by="ada", reason="a test", node="operator", at_ns=2)
    await clock.advance(5.0)  # who reads the journal each second is off: then it is looked for as ever
    on = runs(operations, "health_checker")
    await operations.unwatch()

    assert (0, False, True) == (quiet, off, on)


def test_what_the_config_leaves_out_is_not_offered(tmp_path: Path) -> None:
    config = OperationsConfig(alerts=AlertsConfig(enabled=False), resources=ResourcesConfig(enabled=False))
    operations = PerpetualOperationsManager(config, store=EmptyStore(), clock=VirtualClock(), data_dir=tmp_path)

    left_out = {"alerts", "dead_mans_switch", "resource_monitor"}
    assert {*NAMES} - left_out == {*operations.features.known}


async def test_what_the_config_switches_off_a_person_switches_on(tmp_path: Path) -> None:
    config = OperationsConfig(
        monitoring=MonitoringConfig(enabled=False),
        health=HealthConfig(enabled=False),
        pools=PoolsConfig(enabled=False),
        console=ConsoleConfig(dashboard=False),
        watchdog=WatchdogConfig(signs_of_life=False),
    )
    features = ("system_monitor", "health_checker", "connection_pool_manager", "dashboard", "dead_mans_switch")
    parts = (*features[:3], "live_page", "dead_mans_switch")
    async with running(tmp_path, console=True, config=config) as operations:
        operations.console()
        before = [runs(operations, part) for part in parts]
        told = operations.report.verdict
        for feature in features:
            await turn(operations, feature, True)
        after = [runs(operations, part) for part in parts]

    assert ([False] * 5, [True] * 5) == (before, after)
    assert "Health is not checked: switched off by the config." == told


async def test_signs_of_life_are_left_only_while_alerts_are_on_as_well(tmp_path: Path) -> None:
    async with running(tmp_path, console=True) as operations:
        seen = []
        for feature, on in (("alerts", False), ("dead_mans_switch", False), ("alerts", True)):
            await turn(operations, feature, on)
            seen.append((runs(operations, "alerts"), runs(operations, "dead_mans_switch")))
        await turn(operations, "dead_mans_switch", True)
        seen.append((runs(operations, "alerts"), runs(operations, "dead_mans_switch")))

    assert [(False, False), (False, False), (True, False), (True, True)] == seen


async def test_a_health_checker_that_is_off_says_so_and_keeps_what_is_being_repaired(tmp_path: Path) -> None:
    async with running(tmp_path, console=True) as operations:
        before = operations.report
        await turn(operations, "health_checker", False)
        report = operations.report
        await turn(operations, "health_checker", True)

    assert (HealthState.UNKNOWN, "Health is not checked: switched off by ada: a test.") == (
        report.state,
        report.verdict,
    )
    assert (before.at_ns, ()) == (report.at_ns, report.parts)  # no new report: recovery takes no part for gone


async def test_a_dashboard_that_is_off_says_who_did_it_and_the_api_answers(tmp_path: Path) -> None:
    async with running(tmp_path, console=True) as operations:
        transport = httpx2.ASGITransport(app=operations.console_app())
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as browser:
            shown = await browser.get("/dashboard")
            await turn(operations, "dashboard", False)
            off = [await browser.get(path) for path in ("/dashboard", "/api/live?view=page")]
            api = await browser.get("/api/features")
            await turn(operations, "dashboard", True)
            again = await browser.get("/dashboard")

    assert (200, [503, 503], 200, 200) == (
        shown.status_code,
        [answer.status_code for answer in off],
        api.status_code,
        again.status_code,
    )
    assert "The dashboard is switched off: ada: a test. " in off[0].json()["detail"]
