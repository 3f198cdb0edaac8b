"""What the routes read from: given once when the console is built, the same whoever serves it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.config import ConsoleConfig
from trading_orchestrator.perpetual_operations.console.edge import Traffic
from trading_orchestrator.perpetual_operations.console.fact_feed import FactFeed
from trading_orchestrator.perpetual_operations.console.overview import OverviewReader
from trading_orchestrator.perpetual_operations.console.page_feed import PageFeed
from trading_orchestrator.perpetual_operations.console.recent_look import RecentLook
from trading_orchestrator.perpetual_operations.health.health_checker import HealthChecker, HealthReport
from trading_orchestrator.perpetual_operations.monitoring.metrics import Metrics
from trading_orchestrator.perpetual_operations.status import OperationsStatus
from trading_orchestrator.storage.ports import FactStore


@dataclass(frozen=True)
class Sources:
    """Stores, readers and feeds behind the routes.

    page_off: who switched the dashboard off, and why; "" when on.
    reports_elsewhere: the newest health report of every other node; blocking.
    """

    config: ConsoleConfig
    store: FactStore
    clock: Clock
    health: HealthChecker
    metrics: Metrics
    overview: OverviewReader
    look: RecentLook
    facts: FactFeed
    page: PageFeed
    traffic: Traffic
    status: Callable[[], OperationsStatus]
    version: str
    node: str = ""
    page_off: Callable[[], str] = str
    reports_elsewhere: Callable[[], Sequence[HealthReport]] = tuple
