"""/charts: one metric of the history as curves, for a browser; messages link here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import HTMLResponse, Response

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.console.page.chart import chart_page
from trading_orchestrator.perpetual_operations.console.page.prose import small_page
from trading_orchestrator.perpetual_operations.console.problems import PROBLEMS
from trading_orchestrator.perpetual_operations.monitoring.history.answers import Line
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_history import MetricsHistory
from trading_orchestrator.perpetual_operations.monitoring.metrics import OF_HOST, OF_NODE

HOUR_NS = 3_600_000_000_000
POINTS = 120
SHOWN = 8
HTML = "text/html; charset=utf-8"
KEPT_AS = {metric: field for field, metric, _ in (*OF_HOST, *OF_NODE)}
OF_HISTOGRAM = ("_sum", "_bucket")  # the history keeps a histogram's count and p99
Metric = Annotated[
    str, Query(min_length=1, max_length=200, description="a series of the history, or a metric as `/metrics` names it")
]
Node = Annotated[str, Query(max_length=200, description="only of this node; left out: of every node")]
Hours = Annotated[float, Query(gt=0, le=8784, description="how far back")]


def chart_routes(history: MetricsHistory, clock: Clock) -> APIRouter:
    """Return the route /charts."""
    router = APIRouter(tags=["metrics"], responses=PROBLEMS)

    @router.get("/charts", summary="A metric as curves, for a browser", response_class=HTMLResponse)
    async def charts(series: Metric, node: Node = "", hours: Hours = 1.0) -> Response:
        end_ns = clock.wall_ns()
        start_ns = max(0, end_ns - round(hours * HOUR_NS))
        names = _names(series, node, [line for line in await history.series() if line.last_ns >= start_ns])
        found = [await history.range(name, start_ns, end_ns, POINTS) for name in names[:SHOWN]]
        asked = f"{series} of {node}" if node else series
        page = chart_page(asked, found, hours=hours, more=len(names) - SHOWN)
        return Response(small_page(asked, page), media_type=HTML)

    return router


def _names(asked: str, node: str, lines: Sequence[Line]) -> list[str]:
    """Return the series of a metric: the one of this name, or all that carry it with labels."""
    wanted = KEPT_AS.get(asked, asked)
    for ending in OF_HISTOGRAM:
        if wanted.endswith(ending):
            wanted = f"{wanted.removesuffix(ending)}_p99"
    return sorted(
        line.series
        for line in lines
        if node in ("", line.node) and (wanted in (line.name, line.series) or line.name.startswith(f"{wanted}{{"))
    )
