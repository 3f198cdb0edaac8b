"""Several nodes on one journal, each with its own eyes: they come, see, die and inherit on a virtual clock."""

from __future__ import annotations

import asyncio

from tests.integration.recovery.scene import Scene
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.perpetual_operations.incidents.correlation import one_per_cause
from trading_orchestrator.perpetual_operations.incidents.incident import Incident
from trading_orchestrator.perpetual_operations.incidents.read import incidents_of
from trading_orchestrator.perpetual_operations.recovery.ladder import Ladder, Step
from trading_orchestrator.storage.sqlite import SqliteStore

BROKER = "broker/x"
LADDER = Ladder(
    failure="broker.disconnected",
    parts=("broker/*",),
    steps=(Step(action="hand_over", proof_s=600, budget=2, cooldown_s=600),),
    again_s=5000,
)


class Node(Scene):
    """One of several nodes of a journal; `gone` names the dead."""

    def __init__(self, name: str, store: SqliteStore, clock: VirtualClock, gone: set[str]) -> None:
        super().__init__(store, clock, LADDER, node=name, is_gone=gone.__contains__)
        self.action("hand_over", repairs=False)
        self.action("restart", repairs=False)
        self.part(BROKER)
        self.part("something else")
        parts = (self.checker, self.incidents, self.recovery, self.inheritance)
        self._tasks = [asyncio.create_task(part.run()) for part in parts]

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Nodes:
    """Nodes that come and go on one journal."""

    def __init__(self, store: SqliteStore, clock: VirtualClock) -> None:
        self.store = store
        self.clock = clock
        self.gone: set[str] = set()
        self.living: dict[str, Node] = {}

    def comes(self, name: str) -> Node:
        node = self.living[name] = Node(name, self.store, self.clock, self.gone)
        return node

    async def dies(self, name: str) -> None:
        await self.living.pop(name).end()
        self.gone.add(name)

    async def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            await self.clock.advance(0.1)

    async def only(self) -> Incident:
        """Return the only incident that people are shown."""
        (incident,) = [one for one in one_per_cause(await incidents_of(self.store)) if one.state != "merged"]
        return incident
