"""Inheritance: an incident of what all nodes share outlives its node, and goes on where the part is watched now."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport
from trading_orchestrator.perpetual_operations.incidents.correlation import outlives_its_node
from trading_orchestrator.perpetual_operations.incidents.incident import Incident
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentLog

log = logging.getLogger(__name__)
LOOK_EVERY_S = 2.0
NOBODYS_S = 120.0
"""A node that starts while its venue is away watches it within seconds; what nobody watches for so long is no more."""


class Inheritance:
    """A component of every node. One event loop.

    Args:
        report: returns the newest health report of this node.
        is_gone: whether a node lives no more.
        inherit: goes on with an incident that is nobody's.
        leave: goes on no longer with one that another node has by now.
    """

    name = "incident_inheritance"
    depends_on: Sequence[str] = ()

    def __init__(
        self,
        incidents: IncidentLog,
        clock: Clock,
        *,
        report: Callable[[], HealthReport],
        is_gone: Callable[[str], bool],
        inherit: Callable[[Incident], None],
        leave: Callable[[Incident], None],
    ) -> None:
        self._incidents = incidents
        self._clock = clock
        self._report = report
        self._is_gone = is_gone
        self._inherit = inherit
        self._leave = leave
        self._nobodys_since_ns: dict[str, int] = {}
        self._trouble = ""

    def health(self) -> Health:
        if self._trouble:
            return Health(HealthState.DEGRADED, f"what other nodes left is not looked at: {self._trouble}")
        return Health(HealthState.HEALTHY, f"{len(self._nobodys_since_ns)} open incidents are nobody's")

    async def run(self) -> None:
        """Look every few seconds until cancelled."""
        while True:
            try:
                await self.look()
                self._trouble = ""
            except OrchestratorError as error:
                self._trouble = error.message
            await self._clock.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Take over what is nobody's and watched here; end what nobody watches. Raises whatever the store raises.

        While the journal cannot be written it goes on telling what was true before: that is taken over or ended once.
        """
        open_before, behind = dict(self._incidents.open), self._incidents.unwritten
        told = [one for one in await self._incidents.under_way() if one.incident_id not in behind]
        for one in told:
            own = self._incidents.open.get(one.part)
            if own is not None and own is open_before.get(one.part) and self._is_anothers(own, one):
                log.warning("leaving incident %s to %s, which goes on with it too", one.incident_id, one.node)
                self._leave(own)
        mine = {own.incident_id for own in self._incidents.open.values()}
        nobodys = [one for one in told if one.incident_id not in mine and self._is_nobodys(one)]
        now_ns = self._clock.monotonic_ns()
        self._nobodys_since_ns = {
            one.incident_id: self._nobodys_since_ns.get(one.incident_id, now_ns) for one in nobodys
        }
        for one in sorted(nobodys, key=lambda one: bool(one.same_cause_as)):  # who stands for others goes first
            if self._is_watched_here(one.part):
                log.warning("going on with incident %s of %s", one.incident_id, one.node or "a node that let it go")
                self._inherit(one)
            elif now_ns - self._nobodys_since_ns[one.incident_id] >= NOBODYS_S * 1e9:
                self._incidents.end_unproved(one, f"nobody has watched {one.part} for {NOBODYS_S:g} s")

    def _is_nobodys(self, one: Incident) -> bool:
        return not one.node or (outlives_its_node(one.part) and self._is_gone(one.node))

    def _is_anothers(self, own: Incident, told: Incident) -> bool:
        same = own.incident_id == told.incident_id
        return same and told.node not in ("", own.node) and not self._is_gone(told.node)

    def _is_watched_here(self, name: str) -> bool:
        part = next((part for part in self._report().parts if part.name == name), None)
        return part is not None and not part.elsewhere and part.state is not HealthState.STARTING
