"""What the console serves of the other parts of the wing: alerts, insights, incidents and switches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.features import Features
from trading_orchestrator.perpetual_operations.on_first_use.alerts import AlertsOnFirstUse
from trading_orchestrator.perpetual_operations.on_first_use.insights import InsightsOnFirstUse
from trading_orchestrator.perpetual_operations.recovery.repairs import Repairs
from trading_orchestrator.storage.ports import FactStore

if TYPE_CHECKING:
    from fastapi import APIRouter

    from trading_orchestrator.perpetual_operations.console.routes.incidents import Impact


def own_routes(
    config: OperationsConfig,
    *,
    store: FactStore,
    clock: Clock,
    node: str,
    version: str,
    alerts: AlertsOnFirstUse,
    insights: InsightsOnFirstUse,
    repairs: Repairs,
    features: Features,
    impact: Impact | None,
) -> Sequence[APIRouter]:
    """Return the routes; asking for them builds the insights, and imports the web stack.

    Args:
        impact: tells what orders and money did during an incident; None when nobody can.
    """
    from trading_orchestrator.perpetual_operations.console.routes.incidents import incident_routes, no_impact
    from trading_orchestrator.perpetual_operations.console.routes.insights import insight_routes
    from trading_orchestrator.perpetual_operations.console.routes.switches import switch_routes

    return [
        *(_alert_routes(alerts, store, clock, version) if config.alerts.enabled else ()),
        insight_routes(insights.insights()),
        incident_routes(repairs, store=store, impact=impact or no_impact),
        switch_routes(repairs, features, store=store, clock=clock, node=node),
    ]


def _alert_routes(alerts: AlertsOnFirstUse, store: FactStore, clock: Clock, version: str) -> Sequence[APIRouter]:
    from trading_orchestrator.perpetual_operations.console.routes.alertmanager import alertmanager_routes
    from trading_orchestrator.perpetual_operations.console.routes.alerts import alert_routes

    return [
        alert_routes(alerts.runtime, store, clock),
        alertmanager_routes(alerts.runtime, clock, version=version),
    ]
