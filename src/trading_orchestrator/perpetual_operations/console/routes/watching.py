"""For machines that watch us: alive, ready, metrics."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from trading_orchestrator.perpetual_operations.console.answers import json_answer
from trading_orchestrator.perpetual_operations.console.problems import PROBLEMS, problem
from trading_orchestrator.perpetual_operations.console.sources import Sources
from trading_orchestrator.perpetual_operations.monitoring.metrics import CONTENT_TYPE


def watching_routes(sources: Sources) -> APIRouter:
    """Return the routes /livez, /readyz and /metrics."""
    router = APIRouter(tags=["watching"], responses=PROBLEMS)

    @router.get("/livez", summary="The process answers, and no probe of liveness says otherwise")
    async def livez() -> Response:
        report = sources.health.report
        if not report.is_live:
            return problem(503, report.verdict, "console.not_live")
        return json_answer({"status": "alive"})

    @router.get("/readyz", summary="Everything that readiness depends on is there; 503 with the cause if not")
    async def readyz() -> Response:
        report = sources.health.report
        if sources.traffic.draining:
            return problem(503, "This node is handing over; ask again, another one answers.", "console.draining")
        if not report.is_ready:
            return problem(503, report.verdict, "console.not_ready", {"retry-after": "1"})
        return json_answer({"status": "ready", "verdict": report.verdict})

    @router.get(
        "/metrics", summary="Metrics of this process in Prometheus's text format", response_class=PlainTextResponse
    )
    async def metrics() -> Response:
        return Response(await asyncio.to_thread(sources.metrics.expose), media_type=CONTENT_TYPE)

    return router
