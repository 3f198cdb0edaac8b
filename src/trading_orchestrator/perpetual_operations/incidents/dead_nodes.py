"""Ends what dead nodes left open: whoever serves the console keeps house for nodes that are no more."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentLog

log = logging.getLogger(__name__)
LOOK_EVERY_S = 5.0


class DeadNodes:
    """A component of the node with the console. One event loop."""

    name = "dead_nodes"
    depends_on: Sequence[str] = ()

    def __init__(self, incidents: IncidentLog, clock: Clock) -> None:
        self._incidents = incidents
        self._clock = clock
        self._trouble = ""

    def health(self) -> Health:
        if self._trouble:
            return Health(HealthState.DEGRADED, f"incidents of dead nodes stay open: {self._trouble}")
        return Health(HealthState.HEALTHY, "no dead node has an open incident")

    async def run(self) -> None:
        """Look every few seconds until cancelled."""
        while True:
            try:
                await self._incidents.close_for_the_dead()
                self._trouble = ""
            except OrchestratorError as error:
                self._trouble = error.message
                log.warning("incidents of dead nodes stay open: %s", error.message)
            await self._clock.sleep(LOOK_EVERY_S)
