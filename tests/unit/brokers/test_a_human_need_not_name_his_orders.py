"""Exchanges list orders without a client id: a human's, placed on their page. They are read, and ours beside them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.unified import Unified
from trading_orchestrator.brokers.port import NoAnswer

SYMBOL = "EUR/USDT"
TERMS: dict[str, Any] = {"symbol": SYMBOL, "side": "buy", "amount": 1.0, "price": 1.1, "status": "open", "info": {}}
HUMANS = TERMS | {"id": "7", "clientOrderId": None}
OURS = TERMS | {"id": "8", "clientOrderId": "tx-1"}


class Exchange:
    id = "okx"

    async def fetch_open_orders(self, symbol: str) -> list[dict[str, Any]]:
        return [HUMANS, OURS]

    async def fetch_order(self, venue_order_id: None, symbol: str, params: dict[str, Any]) -> dict[str, Any]:
        return HUMANS


class Client:
    exchange = Exchange()

    async def ready(self) -> Exchange:
        return self.exchange

    async def call(self, what: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        return await ask()

    def venue_now_ns(self) -> int:
        return 1


@pytest.fixture
def unified(monkeypatch: pytest.MonkeyPatch) -> Unified:
    monkeypatch.setattr(Unified, "_by_our_id", lambda self, cl_ord_id: {"clientOrderId": cl_ord_id})
    return Unified(cast("CcxtClient", Client()))


async def test_a_list_is_read_whole(unified: Unified) -> None:
    listed = await unified.open_orders([SYMBOL])

    assert [("7", ""), ("8", "tx-1")] == [(each.venue_order_id, each.cl_ord_id) for each in listed]


async def test_an_answer_about_ours_must_bear_our_id(unified: Unified) -> None:
    with pytest.raises(NoAnswer):
        await unified.order(SYMBOL, "tx-1")
