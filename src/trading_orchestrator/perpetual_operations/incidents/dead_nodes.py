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
IsGone = Callable[[str], bool]


def lives_no_more(is_alive: IsGone, node: str) -> bool:
    """Return whether a node that has said something is gone.

    Not `is_dead`: the file that proves a death is cleared away as soon as a replacement is ready, and no node says
    anything before it has one.
    """
    return not is_alive(node)


class DeadNodes:
    """A component of the node with the console. One event loop.

    Args:
        is_gone: whether a node lives no more.
        also: ends something else that the nodes leave open of which this is true; raises what the store raises.
    """

    name = "dead_nodes"
    depends_on: Sequence[str] = ()

    def __init__(
        self, incidents: IncidentLog, clock: Clock, is_gone: IsGone, *also: Callable[[IsGone], Awaitable[None]]
    ) -> None:
        self._is_gone = is_gone
        self._end = (incidents.close_for_the_dead, *also)
        self._clock = clock
        self._trouble = ""

    def health(self) -> Health:
        if self._trouble:
            return Health(HealthState.DEGRADED, f"what dead nodes left stays open: {self._trouble}")
        return Health(HealthState.HEALTHY, "dead nodes left nothing open")

    async def look(self) -> None:
        """End what is open and must not be. Raises whatever the store raises."""
        for end in self._end:
            await end(self._is_gone)

    async def run(self) -> None:
        """Look every few seconds until cancelled."""
        while True:
            try:
                await self.look()
                self._trouble = ""
            except OrchestratorError as error:
                self._trouble = error.message
                log.warning("what dead nodes left stays open: %s", error.message)
            await self._clock.sleep(LOOK_EVERY_S)
