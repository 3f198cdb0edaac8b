"""/incidents and /incidents/ID: the list and the written report, for a browser; messages link here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import HTMLResponse, Response

from trading_orchestrator.perpetual_operations.console.page.incidents import incident_table
from trading_orchestrator.perpetual_operations.console.page.prose import prose, small_page
from trading_orchestrator.perpetual_operations.console.problems import PROBLEMS, problem
from trading_orchestrator.perpetual_operations.incidents.correlation import one_per_cause
from trading_orchestrator.perpetual_operations.incidents.incident import Incident
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentUnknown
from trading_orchestrator.perpetual_operations.incidents.read import incident_of, incidents_of
from trading_orchestrator.perpetual_operations.incidents.report import report
from trading_orchestrator.storage.ports import FactStore

HTML = "text/html; charset=utf-8"
SHOWN = 200
IncidentId = Annotated[str, Path(min_length=1, max_length=64, description="an incident's id, or its beginning")]
Part = Annotated[str, Query(max_length=200, description="only incidents of this part; left out: of every part")]


def incident_pages(store: FactStore, impact: Callable[[Incident], Awaitable[Sequence[str]]]) -> APIRouter:
    """Return the routes; `impact` tells what orders and money did."""
    router = APIRouter(tags=["recovery"], responses=PROBLEMS)

    @router.get("/incidents", summary="Incidents of every node, for a browser", response_class=HTMLResponse)
    async def listed(part: Part = "") -> Response:
        every = one_per_cause(await incidents_of(store, limit=SHOWN))
        found = [one for one in every if part in ("", one.part)]
        return Response(small_page("Incidents", incident_table(found, part)), media_type=HTML)

    @router.get("/incidents/{incident_id}", summary="One incident's report, for a browser", response_class=HTMLResponse)
    async def one(incident_id: IncidentId) -> Response:
        try:
            found = await incident_of(store, incident_id)
        except IncidentUnknown as error:
            return problem(404, error.message, error.code)
        text = report(found, await impact(found))
        return Response(
            small_page(f"{found.part}: {found.failure}", prose(text, links=False), up="../"), media_type=HTML
        )

    return router
