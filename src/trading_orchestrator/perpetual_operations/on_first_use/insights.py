"""The insights of one process, built on first use, which imports numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.monitoring.guards import Guards
from trading_orchestrator.perpetual_operations.monitoring.node_watch import NodeWatch
from trading_orchestrator.perpetual_operations.monitoring.resources.resource_monitor import Lever
from trading_orchestrator.perpetual_operations.registry import Registry
from trading_orchestrator.perpetual_operations.self_watch import SelfWatch

if TYPE_CHECKING:
    from trading_orchestrator.perpetual_operations.monitoring.analytics.insights import Insights


class InsightsOnFirstUse:
    """Builds the insights once, and has their analyst run and asked. Use from one event loop."""

    def __init__(
        self,
        config: OperationsConfig,
        *,
        registry: Registry,
        watching: NodeWatch,
        guards: Guards,
        self_watch: SelfWatch,
    ) -> None:
        self._config = config
        self._registry = registry
        self._watching = watching
        self._guards = guards
        self._self_watch = self_watch
        self._insights: Insights | None = None

    def insights(self) -> Insights:
        """Return the insights."""
        if self._insights is None:
            from trading_orchestrator.perpetual_operations.monitoring.analytics.insights import Insights

            self._insights = Insights(
                self._config.analytics,
                self._config.resources,
                memory_bytes=self._guards.memory_bytes,
                watching=self._watching,
                clock=self._registry.clock,
                report=lambda: self._registry.report,
                probe_interval_s=self._config.health.interval_s,
                keeps_history=self._config.history.enabled,
            )
            if self._config.analytics.enabled:
                analyst = self._insights.analyst
                self._registry.supervisor.add(analyst)
                self._self_watch.watch_parts({analyst.name: analyst.depends_on})
                self._guards.resources.add_lever("optional_jobs", Lever(analyst.pause, analyst.resume))
                if self._registry.is_running:
                    self._registry.supervisor.start(analyst.name)
        return self._insights
