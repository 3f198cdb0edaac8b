"""A frame of an exchange that cannot be read is asked for instead; the stream is there, and what follows is heard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.unified import Unified
from trading_orchestrator.brokers.port import Connected, OrderReport, TradeReport
from trading_orchestrator.kernel.clock import VirtualClock

HUMANS = {"id": "7", "clientOrderId": None, "symbol": "EUR/USDT", "side": "buy", "amount": 1.0, "price": 1.1}
OURS = HUMANS | {"id": "8", "clientOrderId": "tx-1", "status": "open", "info": {}}


class Exchange:
    """As much of an exchange as the account's watches need."""

    def __init__(self) -> None:
        self.has = {"watchOrders": True, "watchMyTrades": True}
        self.connect_taps: list[Callable[[], None]] = []

    async def watch_orders(self) -> list[dict[str, Any]]:
        return [HUMANS, OURS]

    async def watch_my_trades(self) -> list[dict[str, Any]]:
        return [{"id": "1"}]


class Client:
    def __init__(self) -> None:
        self.exchange = Exchange()
        self.clock = VirtualClock()

    async def ready(self) -> Exchange:
        return self.exchange

    def venue_now_ns(self) -> int:
        return 1


async def test_what_cannot_be_read_is_asked_for_and_what_follows_is_heard() -> None:
    told: list[OrderReport | TradeReport | Connected] = []
    parts = Unified(cast("CcxtClient", Client())).report_watches(told.append, lambda: None)

    for watch in parts.watches:
        await watch()

    assert [Connected, OrderReport, Connected] == [type(each) for each in told]
