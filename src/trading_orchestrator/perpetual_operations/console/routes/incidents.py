"""/api/incidents, /api/recovery and the pages: what broke, what it cost, and what repaired it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query
from starlette.responses import PlainTextResponse, Response

from trading_orchestrator.perpetual_operations.console.answers import json_answer
from trading_orchestrator.perpetual_operations.console.problems import PROBLEMS, problem
from trading_orchestrator.perpetual_operations.console.routes.incident_pages import incident_pages
from trading_orchestrator.perpetual_operations.incidents.correlation import one_per_cause
from trading_orchestrator.perpetual_operations.incidents.incident import Incident
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentUnknown
from trading_orchestrator.perpetual_operations.incidents.read import incident_of, incidents_of, many_incidents
from trading_orchestrator.perpetual_operations.incidents.report import report
from trading_orchestrator.perpetual_operations.recovery.repairs import Repairs
from trading_orchestrator.perpetual_operations.recovery.statistics import statistics
from trading_orchestrator.storage.ports import FactStore

Impact = Callable[[Incident], Awaitable[Sequence[str]]]
MARKDOWN = "text/markdown; charset=utf-8"
IncidentId = Annotated[str, Path(min_length=1, max_length=64, description="an incident's id, or its beginning")]
Limit = Annotated[int, Query(ge=1, le=1000)]


async def no_impact(incident: Incident) -> Sequence[str]:
    """Nobody tells what orders and money did."""
    return []


def incident_routes(repairs: Repairs, *, store: FactStore, impact: Impact = no_impact) -> APIRouter:
    """Return the routes: incidents of every node, ladders of the one that answers."""
    router = APIRouter(tags=["recovery"], responses=PROBLEMS)
    router.routes.extend(incident_pages(store, impact).routes)

    @router.get("/api/incidents", summary="Incidents of every node, those that changed last first")
    async def incidents(limit: Limit = 100, open_only: bool = False, every_node: bool = False) -> Response:
        found = await incidents_of(store, limit=limit)
        found = found if every_node else one_per_cause(found)
        return json_answer({"incidents": [one for one in found if not (open_only and one.is_over)]})

    @router.get(
        "/api/incidents/{incident_id}",
        summary="One incident; as a written report with `Accept: text/markdown`",
    )
    async def incident(incident_id: IncidentId, accept: Annotated[str, Header()] = "") -> Response:
        try:
            found = await incident_of(store, incident_id)
        except IncidentUnknown as error:
            return problem(404, error.message, error.code)
        if "text/markdown" in accept:
            return PlainTextResponse(report(found, await impact(found)), media_type=MARKDOWN)
        return json_answer({"incident": found, "report": report(found, await impact(found))})

    @router.get("/api/recovery", summary="What recovery achieved, by class of failure and by step; and the ladders")
    async def recovery() -> Response:
        found = await many_incidents(store)
        ladders = repairs.recovery.ladders.by_failure.values()
        return json_answer(
            {"classes": statistics(found), "ladders": list(ladders), "enabled": repairs.recovery.enabled}
        )

    return router
