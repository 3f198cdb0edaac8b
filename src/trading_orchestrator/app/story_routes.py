"""GET /api/orders/{id}/story: what the trading wing tells through the console of the operations wing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from trading_orchestrator.perpetual_operations.console.answers import json_answer
from trading_orchestrator.perpetual_operations.console.problems import PROBLEMS, of_error, problem
from trading_orchestrator.storage.ports import FactStore
from trading_orchestrator.trading.explain import explain
from trading_orchestrator.trading.find_order import AmbiguousId, NoSuchOrder

OrderId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=200,
        description="cl_ord_id, venue order id or intent id; an unambiguous beginning of one will do",
    ),
]
STORY = {
    "cl_ord_id": "trooyl6tn7gldw3hiw6pslx",
    "intent_id": "maker.019ab3f2.17",
    "venue_order_id": "42",
    "desk": "practice",
    "strategy": "maker",
    "symbol": "EUR/USDT",
    "state": "filled",
    "standing": "It is filled: 50 at 1.05225.",
    "lines": [
        {
            "pos": 181,
            "at_ns": 1795377600000000000,
            "offset_ms": 2.104,
            "node": "a-7f3k2m9q",
            "epoch": 7,
            "kind": "order.accepted",
            "source": "venue's answer",
            "state": "new",
            "sentence": "accepted as venue order 42, new",
            "details": [],
        }
    ],
}


def story_routes(store: FactStore) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["trading"], responses=PROBLEMS)

    @router.get(
        "/api/orders/{order_id:path}/story",
        responses={200: {"content": {"application/json": {"example": STORY}}}},
        summary="The whole story of one order: every fact in words, with its source and time",
    )
    async def story(order_id: OrderId) -> Response:
        try:
            return json_answer(await explain(store, order_id))
        except NoSuchOrder as error:
            return problem(404, error.message, error.code)
        except AmbiguousId as error:
            return of_error(error)

    return router
