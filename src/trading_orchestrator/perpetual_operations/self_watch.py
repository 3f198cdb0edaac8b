"""What a process asks about itself: journal, event loop, host, and parts of operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.supervisor import Child
from trading_orchestrator.perpetual_operations.config import HealthConfig
from trading_orchestrator.perpetual_operations.health.diagnosis import WELL
from trading_orchestrator.perpetual_operations.health.health_checker import AtOnce, HealthChecker, Probe
from trading_orchestrator.perpetual_operations.health.probes.event_loop import event_loop_probe
from trading_orchestrator.perpetual_operations.health.probes.own_part import own_part_probe
from trading_orchestrator.perpetual_operations.incidents.correlation import OF_THE_HOST
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentLog
from trading_orchestrator.perpetual_operations.monitoring.guards import Guards
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_history import MetricsHistory
from trading_orchestrator.perpetual_operations.monitoring.journal_watch import JournalWatch
from trading_orchestrator.perpetual_operations.monitoring.leaks.memory_leak_detector import MemoryLeakDetector
from trading_orchestrator.perpetual_operations.monitoring.node_watch import NodeWatch
from trading_orchestrator.perpetual_operations.monitoring.system_monitor import SystemMonitor
from trading_orchestrator.perpetual_operations.registry import Registry, word_of
from trading_orchestrator.storage.connection_pool_manager import ConnectionPoolManager

OWN_PARTS: Mapping[str, Sequence[str]] = {
    SystemMonitor.name: (),
    MetricsHistory.name: (),
    HealthChecker.name: (),
    ConnectionPoolManager.name: (),
    IncidentLog.name: ("journal",),
    JournalWatch.name: ("journal",),
}
"""Our own parts that are watched like any other, and what each stands on."""
HOST_CAUSES: Mapping[str, Sequence[str]] = {
    "journal": ("disk",),
    "event_loop": ("cpu",),
    "memory": (MemoryLeakDetector.name,),
}
"""What of the host may be why a part is in trouble; which trouble, `BRINGS_ABOUT` says."""


class SelfWatch:
    """Has the registry ask its own process. Use from one event loop.

    Args:
        only_watches: whether this process watches itself and leaves the rest to another one of its host.
    """

    def __init__(
        self, registry: Registry, *, watching: NodeWatch, guards: Guards, only_watches: Callable[[], bool]
    ) -> None:
        self._registry = registry
        self._supervisor = registry.supervisor
        self._watching = watching
        self._guards = guards
        self._only_watches = only_watches

    def watch_host(self, journal: Probe, config: HealthConfig) -> None:
        """Ask journal, event loop and host."""
        add = self._registry.add_probe
        guarded = self._guards.probes()
        stands_on = {name: [cause for cause in causes if cause in guarded] for name, causes in HOST_CAUSES.items()}
        limits = {"degraded_s": config.loop_lag_degraded_s, "unhealthy_s": config.loop_lag_unhealthy_s}
        event_loop = event_loop_probe(self._watching.loop_lag.worst_s, **limits)
        add("journal", journal, depends_on=stands_on["journal"])
        add("event_loop", event_loop, depends_on=stands_on["event_loop"])
        for name, probe in guarded.items():
            finder = name if name == self._guards.leaks.name else self._guards.resources.name
            found = self._unless_off(self._watching.monitor.name, self._unless_off(finder, probe))
            asked = self._once_a_host(found) if name in OF_THE_HOST else found
            add(name, asked, depends_on=stands_on.get(name, ()), for_readiness=False)

    def watch_parts(self, stand_on: Mapping[str, Sequence[str]] = OWN_PARTS) -> None:
        """Ask those of these parts that are built."""
        for name, stands_on in stand_on.items():
            if name in self._supervisor.children:
                probe = own_part_probe(self._supervisor.children[name], self._word_of, self._registry.clock)
                self._registry.add_probe(name, probe, depends_on=stands_on, for_readiness=False)

    def _word_of(self, part: Child) -> Health:
        return word_of(part, is_running=self._registry.is_running)

    def _once_a_host(self, probe: AtOnce) -> AtOnce:
        """What all nodes of a host share is the finding of the one that serves the console; for the others it only
        explains.
        """

        def ask() -> Health:
            health = probe.health()
            if not self._only_watches():
                return health
            if health.state in WELL:
                return Health(HealthState.HEALTHY, "watched by the node that serves the console", elsewhere=True)
            return replace(health, elsewhere=True)

        return AtOnce(ask)

    def _unless_off(self, part: str, probe: AtOnce) -> AtOnce:
        """What a part found before it was switched off is no finding any more."""

        def ask() -> Health:
            off = self._supervisor.is_off(part)
            return Health(HealthState.HEALTHY, f"switched off: {off}", elsewhere=True) if off else probe.health()

        return AtOnce(ask)
