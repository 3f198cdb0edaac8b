"""What trading wrote, page by page: desks, orders, positions, trades. Read from projections by name."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from trading_orchestrator.perpetual_operations.console.answers import json_answer, page_of_rows
from trading_orchestrator.perpetual_operations.console.pages import Before, Limit
from trading_orchestrator.perpetual_operations.console.problems import PROBLEMS
from trading_orchestrator.perpetual_operations.console.sources import Sources

ORDERS = {
    "orders": [
        {
            "cl_ord_id": "trooyl6tn7gldw3hiw6pslx",
            "desk": "practice",
            "symbol": "EUR/USDT",
            "side": "buy",
            "ord_type": "limit",
            "order_qty": "50",
            "px": "1.05225",
            "ord_status": "PARTIALLY_FILLED",
            "cum_qty": "20",
            "leaves_qty": "30",
        }
    ],
    "next": 181,
}


def trading_routes(sources: Sources) -> APIRouter:
    """Return the routes /api/desks, /api/orders, /api/positions and /api/trades."""
    router = APIRouter(tags=["trading"], responses=PROBLEMS)

    async def page(name: str, before: int | None, limit: int) -> Response:
        rows = await sources.store.rows(name, before_pos=before, limit=limit)
        return page_of_rows(name, rows, limit)

    @router.get("/api/desks", summary="Every desk with its lease")
    async def desks() -> Response:
        return json_answer({"desks": await sources.overview.desks()})

    @router.get(
        "/api/orders",
        responses={200: {"content": {"application/json": {"example": ORDERS}}}},
        summary="Orders, last changed first: cl_ord_id, ord_status, cum_qty, …",
    )
    async def orders(before: Before = None, limit: Limit = 100) -> Response:
        return await page("orders", before, limit)

    @router.get("/api/positions", summary="Positions, last changed first")
    async def positions(before: Before = None, limit: Limit = 100) -> Response:
        return await page("positions", before, limit)

    @router.get("/api/trades", summary="Trades, last booked first")
    async def trades(before: Before = None, limit: Limit = 100) -> Response:
        return await page("trades", before, limit)

    return router
