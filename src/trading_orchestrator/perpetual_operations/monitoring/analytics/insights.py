"""Insights: anomalies, forecasts, capacity and hints of this host, as API and command show them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import msgspec

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport
from trading_orchestrator.perpetual_operations.monitoring.analytics.analyst import Analyst, Anomaly, Exhaustion
from trading_orchestrator.perpetual_operations.monitoring.analytics.capacity import Capacity, capacity
from trading_orchestrator.perpetual_operations.monitoring.analytics.config import AnalyticsConfig
from trading_orchestrator.perpetual_operations.monitoring.analytics.hints import Hint, Seen, hints
from trading_orchestrator.perpetual_operations.monitoring.analytics.limits import limits_of
from trading_orchestrator.perpetual_operations.monitoring.node_watch import NodeWatch
from trading_orchestrator.perpetual_operations.monitoring.resources.config import ResourcesConfig


class Outlook(msgspec.Struct, frozen=True):
    """The whole in one answer."""

    sentence: str
    capacity: Capacity
    forecasts: tuple[Exhaustion, ...]
    anomalies: tuple[Anomaly, ...]
    hints: tuple[Hint, ...]


class Insights:
    """Asking is blocking (a few small files) and belongs on a thread; the analyst runs as a component."""

    def __init__(
        self,
        config: AnalyticsConfig,
        resources: ResourcesConfig,
        *,
        memory_bytes: int,
        watching: NodeWatch,
        clock: Clock,
        report: Callable[[], HealthReport],
        probe_interval_s: float,
        keeps_history: bool,
    ) -> None:
        self._watching = watching
        self._report = report
        self._probe_interval_s = probe_interval_s
        self.analyst = Analyst(
            config,
            clock=clock,
            nodes_now=watching.nodes_now,
            limits=lambda nodes: limits_of(resources, memory_bytes, nodes),
            history=watching.history if keeps_history else None,
            meter=watching.meter,
        )

    def capacity(self) -> Capacity:
        """Return how much more fits here."""
        return capacity(self._watching.nodes_now(), self.analyst.minutes_of, cores=os.cpu_count() or 1)

    def hints(self) -> Sequence[Hint]:
        """Return what could be made cheaper."""
        return hints(Seen(self._watching.nodes_now(), self._report(), self._probe_interval_s))

    def outlook(self, anomalies: int = 20) -> Outlook:
        """Return everything, the newest anomalies first."""
        room, found = self.capacity(), self.hints()
        newest = tuple(reversed(self.analyst.anomalies[-anomalies:]))
        soon = self.analyst.exhaustions
        first = soon[0].sentence if soon else "nothing runs out soon"
        sentence = f"{room.sentence} By the trends, {first}. {len(newest)} anomalies and {len(found)} hints."
        return Outlook(sentence, room, soon, newest, tuple(found))
