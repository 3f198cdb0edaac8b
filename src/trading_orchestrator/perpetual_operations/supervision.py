"""Keeps one component running: an end that nobody asked for is told, and the component started anew."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Component, Health, HealthState
from trading_orchestrator.perpetual_operations.status import PartStatus

log = logging.getLogger(__name__)
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
STEADY_S = 60.0
END_WITHIN_S = 5.0


class Supervised:
    """One component and its task. The wait doubles with each end in a row; a steady minute forgives. One event loop."""

    def __init__(self, component: Component, clock: Clock) -> None:
        self.component = component
        self.depends_on: Sequence[str] = tuple(component.depends_on)
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._ended = ""
        self._restarts = 0

    @property
    def name(self) -> str:
        return self.component.name

    def start(self) -> None:
        """Run the component in a task of its own."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep_running(), name=self.name)

    async def stop(self) -> None:
        """End the component; one that does not end in time is left behind and named in the log."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        _, pending = await asyncio.wait((task,), timeout=END_WITHIN_S)
        if pending:
            log.error("%s did not end within %g s of being cancelled", self.name, END_WITHIN_S)

    def health(self) -> Health:
        """Return the component's own word while it runs, else why it does not."""
        if self._task is None:
            return Health(HealthState.STOPPED, "not started")
        if self._ended:
            return Health(HealthState.UNHEALTHY, self._ended)
        return self.component.health()

    def status(self) -> PartStatus:
        """Return the component as the status shows it."""
        health = self.health()
        return PartStatus(self.name, health.state, health.reason, tuple(self.depends_on), self._restarts)

    async def _keep_running(self) -> None:
        wait_s = FIRST_WAIT_S
        while True:
            began_ns = self._clock.monotonic_ns()
            ended = await self._run_once()
            if self._clock.monotonic_ns() - began_ns > STEADY_S * 1e9:
                wait_s = FIRST_WAIT_S
            self._ended = f"{ended}; started anew in {wait_s:g} s"
            log.warning("%s %s", self.name, self._ended)
            await self._clock.sleep(wait_s)
            self._restarts += 1
            self._ended = ""
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    async def _run_once(self) -> str:
        try:
            await self.component.run()
        except Exception as error:  # the supervisor is the boundary: whatever ended the run, it goes on
            log.debug("%s failed", self.name, exc_info=error)
            return f"ended with {type(error).__name__}: {error}"
        return "ended by itself"
