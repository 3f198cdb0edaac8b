"""What nodes of one host share: clocks, journal file, accounts, and the knowledge of deaths."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trading_orchestrator.simulation.account import Account
from trading_orchestrator.simulation.chance import Chance
from trading_orchestrator.simulation.clocks import HostClock
from trading_orchestrator.simulation.deaths import ToldDeaths
from trading_orchestrator.simulation.event_loop import VirtualLoop
from trading_orchestrator.storage.sqlite import Bell


@dataclass
class Host:
    """The surroundings of every node. `context` is the world's own strand."""

    loop: VirtualLoop
    context: contextvars.Context
    chance: Chance
    path: Path
    bell: Bell
    host_clock: HostClock
    accounts: Sequence[Account]
    deaths: ToldDeaths
    notes: dict[tuple[str, int], bytes] = field(default_factory=dict)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something of the world's own, whoever calls."""
        task = self.loop.create_task(work, context=self.context)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard, context=self.context)
        return task
