"""Ends what dead nodes left open: whoever serves the console keeps house for nodes that are no more."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentLog

log = logging.getLogger(__name__)
LOOK_EVERY_S = 5.0


class DeadNodes:
    """A component of the node with the console. One event loop.

    also: ends something else that dead nodes leave open; raises what the store raises.
    """

    name = "dead_nodes"
    depends_on: Sequence[str] = ()

    def __init__(self, incidents: IncidentLog, clock: Clock, also: Callable[[], Awaitable[None]] | None = None) -> None:
        self._end = [incidents.close_for_the_dead, *([also] if also is not None else [])]
        self._clock = clock
        self._trouble = ""

    def health(self) -> Health:
        if self._trouble:
            return Health(HealthState.DEGRADED, f"what dead nodes left stays open: {self._trouble}")
        return Health(HealthState.HEALTHY, "dead nodes left nothing open")

    async def run(self) -> None:
        """Look every few seconds until cancelled."""
        while True:
            try:
                for end in self._end:
                    await end()
                self._trouble = ""
            except OrchestratorError as error:
                self._trouble = error.message
                log.warning("what dead nodes left stays open: %s", error.message)
            await self._clock.sleep(LOOK_EVERY_S)
