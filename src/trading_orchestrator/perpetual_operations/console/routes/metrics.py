"""The metrics history: which series there are, and one of them over a range of time."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.console.answers import json_answer
from trading_orchestrator.perpetual_operations.console.problems import PROBLEMS
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_history import MetricsHistory

SECOND_NS = 1_000_000_000
HOUR_S = 3600
LATEST_S = 9_000_000_000  # the year 2255: nanoseconds must fit into 63 bits
Series = Annotated[
    str, Query(min_length=1, max_length=200, description="e.g. `host_cpu_ratio`, of all nodes; `name@node` of one")
]
Start = Annotated[float | None, Query(ge=0, le=LATEST_S, description="Unix seconds; left out: an hour before the end")]
End = Annotated[float | None, Query(ge=0, le=LATEST_S, description="Unix seconds; left out: now")]
Points = Annotated[
    int,
    Query(
        ge=1,
        le=10_000,
        description="Buckets wanted; buckets of a minute and more are whole minutes, of an hour and more whole hours",
    ),
]
RANGE = {
    "series": "host_cpu_ratio",
    "start_ns": 1_800_000_000_000_000_000,
    "end_ns": 1_800_000_024_000_000_000,
    "width_ns": 12_000_000_000,
    "at_ns": [1_800_000_000_000_000_000, 1_800_000_012_000_000_000],
    "min": [0.11, 0.09],
    "max": [0.32, 0.4],
    "mean": [0.1825, 0.2083],
    "count": [12, 12],
}


class RangeRefused(Refused):
    """The range ends before it begins. Facts: start_s, end_s."""

    code = "history.range_refused"


def metrics_routes(history: MetricsHistory, clock: Clock) -> APIRouter:
    """Return the routes /api/metrics/series and /api/metrics/range."""
    router = APIRouter(tags=["metrics"], responses=PROBLEMS)

    @router.get("/api/metrics/series", summary="Every series of every node, those of dead processes included")
    async def series() -> Response:
        return json_answer({"series": await history.series()})

    @router.get(
        "/api/metrics/range",
        responses={200: {"content": {"application/json": {"example": RANGE}}}},
        summary="One series: lowest, highest, mean and count of each bucket that holds a sample",
    )
    async def values(series: Series, start: Start = None, end: End = None, points: Points = 300) -> Response:
        end_s = clock.wall_ns() / SECOND_NS if end is None else end
        start_s = max(0.0, end_s - HOUR_S) if start is None else start
        if start_s >= end_s:
            raise RangeRefused(f"expected start < end, was {start_s:g} and {end_s:g}", start_s=start_s, end_s=end_s)
        found = await history.range(series, int(start_s * SECOND_NS), int(end_s * SECOND_NS), points)
        return json_answer(found)

    return router
