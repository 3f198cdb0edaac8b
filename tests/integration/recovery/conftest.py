"""A scene with its tasks running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.recovery.nodes import Nodes
from tests.integration.recovery.scene import MakeScene, Scene
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.perpetual_operations.recovery.ladder import Ladder
from trading_orchestrator.storage.sqlite import SqliteStore, open_store


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def store(tmp_path: Path, clock: VirtualClock) -> AsyncIterator[SqliteStore]:
    store = await open_store(tmp_path / "journal.db", clock=clock, inline=True)
    yield store
    await store.close()


@pytest.fixture
async def nodes(store: SqliteStore, clock: VirtualClock) -> AsyncIterator[Nodes]:
    nodes = Nodes(store, clock)
    yield nodes
    for node in nodes.living.values():
        await node.end()


@pytest.fixture
async def make_scene(store: SqliteStore, clock: VirtualClock) -> AsyncIterator[MakeScene]:
    """Return what makes a scene and starts it; its parts and actions come after."""
    running: list[asyncio.Task[None]] = []

    def make(*ladders: Ladder) -> Scene:
        scene = Scene(store, clock, *ladders)
        for action in {step.action for ladder in ladders for step in ladder.steps} | {"restart"}:
            if action not in ("helps", "fails", "hangs"):
                scene.action(action, repairs=False)
        scene.action("helps")
        scene.action("fails", fails=True)
        scene.action("hangs", takes_s=10_000)
        parts = (scene.checker, scene.incidents, scene.recovery)
        running.extend(asyncio.create_task(part.run()) for part in parts)
        return scene

    yield make
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
