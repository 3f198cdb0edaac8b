"""/api/operations/…: what is unusual, what runs out when, what more fits here, and what could be made cheaper."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from trading_orchestrator.perpetual_operations.console.answers import json_answer
from trading_orchestrator.perpetual_operations.console.problems import PROBLEMS
from trading_orchestrator.perpetual_operations.monitoring.analytics.insights import Insights

Limit = Annotated[int, Query(ge=1, le=200, description="Anomalies wanted, the newest first")]


def insight_routes(insights: Insights) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/api/operations", tags=["metrics"], responses=PROBLEMS)

    @router.get("/outlook", summary="Capacity, forecasts, anomalies and hints in one answer, and one sentence")
    async def outlook(limit: Limit = 20) -> Response:
        return json_answer(await asyncio.to_thread(insights.outlook, limit))

    @router.get("/anomalies", summary="What series did that they never do, the newest first")
    async def anomalies(limit: Limit = 100) -> Response:
        return json_answer({"anomalies": insights.analyst.anomalies[-limit:][::-1]})

    @router.get("/forecasts", summary="What runs out by its trend, the soonest first, each with a range")
    async def forecasts() -> Response:
        return json_answer({"forecasts": insights.analyst.exhaustions})

    @router.get("/capacity", summary="How many more desks and orders a second fit on this host, and what ends first")
    async def capacity() -> Response:
        return json_answer(await asyncio.to_thread(insights.capacity))

    @router.get("/hints", summary="What could be made cheaper, with the figures that say so")
    async def hints() -> Response:
        return json_answer({"hints": await asyncio.to_thread(insights.hints)})

    return router
