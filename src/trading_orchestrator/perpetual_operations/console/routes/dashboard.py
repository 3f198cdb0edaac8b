"""The dashboard: the page itself, its files, and the same look as JSON."""

from __future__ import annotations

import asyncio

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from trading_orchestrator.perpetual_operations.console.answers import json_answer
from trading_orchestrator.perpetual_operations.console.health_json import MEDIA_TYPE as HEALTH_JSON
from trading_orchestrator.perpetual_operations.console.health_json import health_json
from trading_orchestrator.perpetual_operations.console.page.document import document
from trading_orchestrator.perpetual_operations.console.page.sections import ROWS_SHOWN
from trading_orchestrator.perpetual_operations.console.problems import PROBLEMS, page_is_off, problem
from trading_orchestrator.perpetual_operations.console.sources import Sources
from trading_orchestrator.perpetual_operations.console.static_files import StaticFile, shipped_files

CACHED = "public, max-age=300"


def dashboard_routes(sources: Sources) -> APIRouter:
    """Return the routes of /dashboard and /api/dashboard."""
    router = APIRouter(tags=["dashboard"], responses=PROBLEMS)
    files = shipped_files()

    @router.get("/", include_in_schema=False)
    async def root(request: Request) -> Response:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/dashboard", 307)

    @router.get("/dashboard", summary="The dashboard, for a browser", response_class=HTMLResponse)
    async def page() -> Response:
        if said := sources.page_off():
            return page_is_off(said)
        return Response(
            document(await sources.look.overview(), version=sources.version), media_type="text/html; charset=utf-8"
        )

    @router.get("/dashboard/static/{name}", include_in_schema=False)
    async def static(name: str, request: Request) -> Response:
        found = files.get(name)
        if found is None:
            return problem(404, f"There is no file {name}.", "request.not_found")
        return _file(found, request.headers.get("if-none-match"))

    @router.get("/api/dashboard/overview", summary="One look at everything, as the page shows it")
    async def overview() -> Response:
        seen = await sources.look.overview()
        return json_answer(msgspec.structs.replace(seen, trades=seen.trades[:ROWS_SHOWN]))

    @router.get(
        "/api/dashboard/health",
        summary="The newest health of all nodes (health+json): status, checks, verdict, root causes, every part",
        responses={200: {"content": {HEALTH_JSON: {}}}},
    )
    async def health() -> Response:
        others = await asyncio.to_thread(sources.reports_elsewhere)
        said = health_json(sources.health.report, others, node=sources.node, version=sources.version)
        return Response(said, media_type=HEALTH_JSON)

    @router.get("/api/dashboard/status", summary="The parts of the operations wing on the node that answers")
    async def status() -> Response:
        return json_answer(sources.status())

    return router


def _file(found: StaticFile, known_etag: str | None) -> Response:
    headers = {"etag": found.etag, "cache-control": CACHED}
    if known_etag == found.etag:
        return Response(status_code=304, headers=headers)
    return Response(found.content, headers=headers, media_type=found.media_type)
