"""The console of one process: its feeds, its app, and what it takes to drain them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastapi import APIRouter

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Component
from trading_orchestrator.perpetual_operations.config import ConsoleConfig
from trading_orchestrator.perpetual_operations.console.app import build_app
from trading_orchestrator.perpetual_operations.console.edge import Traffic
from trading_orchestrator.perpetual_operations.console.fact_feed import FactFeed
from trading_orchestrator.perpetual_operations.console.last_hour import LastHour
from trading_orchestrator.perpetual_operations.console.overview import OverviewReader, Row
from trading_orchestrator.perpetual_operations.console.page.sections import FILLS_DRAWN, render
from trading_orchestrator.perpetual_operations.console.page_feed import PageFeed
from trading_orchestrator.perpetual_operations.console.recent_look import RecentLook
from trading_orchestrator.perpetual_operations.console.routes.charts import chart_routes
from trading_orchestrator.perpetual_operations.console.routes.metrics import metrics_routes
from trading_orchestrator.perpetual_operations.console.sources import Sources
from trading_orchestrator.perpetual_operations.console.who_holds import WhoHolds
from trading_orchestrator.perpetual_operations.health.health_checker import HealthChecker
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_history import MetricsHistory
from trading_orchestrator.perpetual_operations.monitoring.journal_watch import JournalWatch
from trading_orchestrator.perpetual_operations.monitoring.metrics import Metrics, Readings
from trading_orchestrator.perpetual_operations.monitoring.node_watch import NodeWatch
from trading_orchestrator.perpetual_operations.status import OperationsStatus
from trading_orchestrator.storage.ports import FactStore

SLOW_S = 2.0


class Console:
    """Everything of the console but its server. `feeds` are components that its owner keeps running."""

    def __init__(
        self,
        config: ConsoleConfig,
        *,
        store: FactStore,
        clock: Clock,
        health: HealthChecker,
        journal: JournalWatch,
        watching: NodeWatch,
        history: MetricsHistory | None,
        status: Callable[[], OperationsStatus],
        who: WhoHolds,
        node: str,
        version: str,
        more_routes: Sequence[APIRouter] = (),
        alerts: Callable[[], Sequence[Row]] = tuple,
        page_off: Callable[[], str] = str,
    ) -> None:
        overview = OverviewReader(
            store,
            clock,
            who=who,
            health=health,
            journal=journal,
            monitor=watching.monitor,
            reports_elsewhere=watching.reports_elsewhere,
            node=node,
            hour=LastHour(history, clock) if history is not None else None,
            alerts=alerts,
        )
        self.traffic = Traffic()
        self._refresh_s = config.refresh_s
        self._facts = FactFeed(store, clock)
        self._page = PageFeed(
            store,
            clock,
            look=lambda: overview.read(trades=FILLS_DRAWN),
            render=render,
            refresh_s=config.refresh_s,
        )
        self.feeds: tuple[Component, ...] = (self._facts, self._page)
        metrics = Metrics(Readings(watching.nodes_now, lambda: health.report, lambda: journal.pos), watching.meter)
        self.app = build_app(
            Sources(
                config=config,
                store=store,
                clock=clock,
                health=health,
                metrics=metrics,
                overview=overview,
                look=RecentLook(overview, clock, trades=FILLS_DRAWN, keep_s=config.refresh_s),
                facts=self._facts,
                page=self._page,
                traffic=self.traffic,
                status=status,
                version=version,
                node=node,
                page_off=page_off,
                reports_elsewhere=watching.reports_elsewhere,
            ),
            [
                *([metrics_routes(history, clock), chart_routes(history, clock)] if history is not None else []),
                *more_routes,
            ],
        )

    def slow_down(self) -> None:
        """Refresh the page seldom, to spare a host under pressure."""
        self._page.refresh_s = max(SLOW_S, self._refresh_s)

    def as_configured(self) -> None:
        """Refresh the page as configured."""
        self._page.refresh_s = self._refresh_s

    def show_page(self, *, on: bool) -> None:
        """Serve the page's live updates, or end those that are open."""
        (self._page.reopen if on else self._page.end)()

    def end_streams(self) -> None:
        """Close every live stream in order, with a jittered word on when to come back."""
        self._facts.end()
        self._page.end()

    def reopen_streams(self) -> None:
        """Serve live streams (again)."""
        self._facts.reopen()
        self._page.reopen()
