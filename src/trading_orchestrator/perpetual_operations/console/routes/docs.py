"""The API's own description: OpenAPI as JSON, and as a page that needs no other host."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from trading_orchestrator.perpetual_operations.console.answers import json_answer
from trading_orchestrator.perpetual_operations.console.page.reference import reference


def docs_routes(app: FastAPI) -> APIRouter:
    """Return the routes /api/openapi.json and /api/docs."""
    router = APIRouter()

    @router.get("/api/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return json_answer(app.openapi())

    @router.get("/api/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return Response(
            reference(app.openapi(), str(request.base_url).rstrip("/")), media_type="text/html; charset=utf-8"
        )

    return router
