"""A ladder written in TOML is climbed, own actions of the program included; an unknown step is refused at the start."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fastapi import FastAPI

from trading_orchestrator.kernel.clock import SystemClock, VirtualClock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations import enable_perpetual_operations
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.health.health_checker import AtOnce
from trading_orchestrator.perpetual_operations.manager import PerpetualOperationsManager
from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import Failure
from trading_orchestrator.perpetual_operations.recovery.config import RecoveryConfig
from trading_orchestrator.perpetual_operations.recovery.ladder import Ladder, LadderRefused, Step
from trading_orchestrator.storage.sqlite import SqliteStore, open_store

WITHIN_S = 30.0
FILE = """
[perpetual_operations]
data_dir = "{folder}"
resources.enabled = false
alerts.enabled = false

[perpetual_operations.health]
interval_s = 0.1

[[perpetual_operations.recovery.ladders]]
failure = "oven.cold"
parts = ["oven"]
halts_safely = "Nobody eats."
steps = [
    {{ action = "wait", proof_s = 0.2 }},
    {{ action = "light_the_oven", proof_s = 10, tries = 2 }},
]
"""


async def test_an_action_given_when_operations_are_enabled_is_found_and_climbed(tmp_path: Path) -> None:
    path = tmp_path / "program.toml"
    path.write_text(FILE.format(folder=tmp_path / "data"))
    lit = asyncio.Event()

    async def light_the_oven(failure: Failure) -> str:
        lit.set()
        return f"lit {failure.part}"

    app = FastAPI()
    store = await open_store(tmp_path / "journal.db", clock=SystemClock())
    await enable_perpetual_operations(path, app, store=store, recovery_actions={"light_the_oven": light_the_oven})
    operations: PerpetualOperationsManager = app.state.perpetual_operations
    heard: list[str] = []
    over = asyncio.Event()
    operations.incidents.listen(lambda body: over.set() if body.kind == "incident.resolved" else None)
    operations.incidents.listen(lambda body: heard.append(body.kind))
    cold = Health(HealthState.UNHEALTHY, "it is cold", "oven.cold")
    operations.add_probe("oven", AtOnce(lambda: Health(HealthState.HEALTHY) if lit.is_set() else cold))

    async with asyncio.timeout(WITHIN_S):
        await over.wait()

    assert 2 == heard.count("recovery.step_ended")
    assert "Nobody eats." == operations.recovery.ladders.of("oven", "").halts_safely
    await operations.stop()
    await store.close()


async def test_a_step_that_nobody_knows_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "program.toml"
    path.write_text(FILE.format(folder=tmp_path / "data"))
    app = FastAPI()

    with pytest.raises(LadderRefused, match=r"ladder 'oven.cold', step 2: no action is named 'light_the_oven'"):
        await enable_perpetual_operations(path, app)

    assert not hasattr(app.state, "perpetual_operations")
    assert {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc"} >= {
        getattr(route, "path", "") for route in app.routes
    }


def manager(store: SqliteStore, folder: Path, *ladders: Ladder) -> PerpetualOperationsManager:
    config = OperationsConfig(alerts=AlertsConfig(enabled=False), recovery=RecoveryConfig(ladders=ladders))
    return PerpetualOperationsManager(config, store=store, clock=VirtualClock(), data_dir=folder)


UNKNOWN = Ladder(failure="oven.cold", steps=(Step(action="light_the_oven"),))


def running(operations: PerpetualOperationsManager) -> list[str]:
    return [name for name, child in operations.supervisor.children.items() if child.task is not None]


async def test_neither_start_nor_watch_begin_with_a_step_that_nobody_knows(store: SqliteStore, tmp_path: Path) -> None:
    operations = manager(store, tmp_path, UNKNOWN)
    with pytest.raises(LadderRefused, match="light_the_oven"):
        operations.watch()
    with pytest.raises(LadderRefused, match="light_the_oven"):
        await operations.start()

    assert ([], False) == (running(operations), operations.is_running)


async def test_a_ladder_added_while_it_runs_is_refused_at_once(store: SqliteStore, tmp_path: Path) -> None:
    operations = manager(store, tmp_path)
    operations.watch()
    with pytest.raises(LadderRefused, match="light_the_oven"):
        operations.add_ladder(UNKNOWN)

    assert "oven.cold" not in operations.recovery.ladders.by_failure
    await operations.unwatch()


async def test_a_file_replaces_a_default_of_the_same_class(store: SqliteStore, tmp_path: Path) -> None:
    own = Ladder(failure="disk.low", parts=("disk",), steps=(Step(action="clean_up", proof_s=1),))

    assert own is manager(store, tmp_path, own).recovery.ladders.of("disk", "disk.low")
