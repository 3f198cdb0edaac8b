"""Frames reach the reader in the order of the wire; nothing foreign passes as a report."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from trading_orchestrator.brokers.ccxt.binance_spot import BinanceSpot
from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.brokers.ccxt.unified import Unified
from trading_orchestrator.brokers.port import Connected, OrderReport, TradeReport, VenueStatus
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.market.port import Quote, Trade

SUBSCRIBED = {"id": "1", "status": 200, "result": {"subscriptionId": 0}}
MARKETS = {"EUR/USDT": {"symbol": "EUR/USDT", "id": "EURUSDT", "spot": True}}


class FakeExchange:
    """The part of a tapped ccxt exchange that the dialects touch."""

    def __init__(self) -> None:
        self.id = "fake"
        self.markets = MARKETS
        self.has = {"watchOrders": True, "watchMyTrades": True, "watchBidsAsks": True}
        self.frame_taps: list[Any] = []
        self.connect_taps: list[Any] = []
        self.orders: asyncio.Queue[Any] = asyncio.Queue()
        self.trades: asyncio.Queue[Any] = asyncio.Queue()

    async def watch_orders(self) -> Any:
        return await self.orders.get()

    async def watch_my_trades(self) -> Any:
        return await self.trades.get()

    def read(self, frame: Any) -> bool:
        """Read a frame as ccxt does and return whether it was kept from ccxt."""
        return any(tap(frame) for tap in self.frame_taps)


class FakeClient(CcxtClient):
    def __init__(self) -> None:
        super().__init__(CcxtConfig(), clock=VirtualClock())
        self.fake = FakeExchange()

    @property
    def exchange(self) -> Any:
        return self.fake


def executed(kind: str, status: str, **more: Any) -> dict[str, Any]:
    event = {
        "e": "executionReport", "s": "EURUSDT", "c": "tx-1", "C": "", "S": "BUY", "o": "LIMIT", "q": "10", "p": "1.1",
        "x": kind, "X": status, "r": "NONE", "i": 7, "l": "5", "z": "5", "L": "1.1", "n": "0", "N": None, "T": 1,
        "t": 3,
    }  # fmt: skip
    return {"subscriptionId": 0, "event": event | more}


@pytest.fixture
async def client() -> FakeClient:
    client = FakeClient()
    await BinanceSpot(client).open_orders([])
    return client


@pytest.fixture
async def said(client: FakeClient) -> list[Any]:
    reports: list[Any] = []
    binance = BinanceSpot(client)
    await binance.open_orders([])  # any call learns the symbols
    binance.report_watches(reports.append, lambda: None)
    return reports


async def test_reports_come_in_the_order_of_their_frames(client: FakeClient, said: list[Any]) -> None:
    frames = [
        SUBSCRIBED,
        executed("NEW", "NEW"),
        executed("TRADE", "PARTIALLY_FILLED"),
        executed("TRADE", "FILLED", t=4),
    ]
    kept = [client.fake.read(frame) for frame in frames]

    assert [False, True, True, True] == kept
    assert isinstance(said[0], Connected)
    assert [
        (VenueStatus.NEW, []),
        (VenueStatus.PARTIALLY_FILLED, ["3"]),
        (VenueStatus.FILLED, ["4"]),
    ] == [(each.status, [trade.trade_id for trade in each.trades]) for each in said[1:]]


async def test_other_events_and_other_symbols_are_no_reports(client: FakeClient, said: list[Any]) -> None:
    kept = [
        client.fake.read(frame)
        for frame in (
            {"event": {"e": "outboundAccountPosition", "B": []}},
            {"event": {"e": "balanceUpdate"}},
            executed("NEW", "NEW", s="NOTLISTED"),
            {"id": "2", "status": 400, "error": {"code": -1000}},
            {"e": "trade", "s": "EURUSDT"},
            ["no", "object"],
        )
    ]

    assert ([True, True, True, False, False, False], []) == (kept, said)


async def test_an_unreadable_report_raises_so_that_the_stream_is_opened_again(
    client: FakeClient, said: list[Any]
) -> None:
    with pytest.raises(KeyError):
        client.fake.read({"event": {"e": "executionReport", "s": "EURUSDT"}})
    with pytest.raises(ConnectionError):
        client.fake.read({"event": {"e": "eventStreamTerminated"}})

    assert [] == said


async def test_a_stopped_watch_takes_its_tap_away(client: FakeClient) -> None:
    reports = BinanceSpot(client).report_watches(lambda report: None, lambda: None)
    prices = BinanceSpot(client).market_watches(["EUR/USDT"], lambda item: None)

    reports.stop()
    prices.stop()

    assert [] == client.fake.frame_taps


async def test_prices_are_told_for_the_wanted_symbols_only() -> None:
    client, seen = FakeClient(), list[Any]()
    client.fake.markets = {
        name: MARKETS["EUR/USDT"] | {"symbol": name, "id": name.replace("/", "")} for name in ("A/B", "C/D")
    }
    binance = BinanceSpot(client)
    await binance.open_orders([])
    binance.market_watches(["A/B"], seen.append)
    quote = {"u": 1, "b": "1", "B": "2", "a": "3", "A": "4"}
    trade = {"e": "trade", "t": 1, "p": "1", "q": "2", "T": 3}

    kept = [client.fake.read(each | {"s": symbol}) for symbol in ("AB", "CD") for each in (quote, trade)]

    assert [True, True, False, False] == kept
    assert [(Quote, "A/B"), (Trade, "A/B")] == [(type(each), each.symbol) for each in seen]


async def test_unified_streams_are_merged_and_the_first_news_is_polled_for_again() -> None:
    client, seen = FakeClient(), list[Any]()
    heard: list[None] = []
    watches, _, _ = Unified(client).report_watches(seen.append, lambda: heard.append(None))
    order = {
        "id": "7", "clientOrderId": "tx-1", "symbol": "EUR/USDT", "side": "buy", "amount": 0.1, "price": 1.1,
        "filled": 0.1, "type": "limit", "status": "closed", "timestamp": 5, "info": {"raw": "frame"},
    }  # fmt: skip
    trade = {
        "id": "3", "order": "7", "symbol": "EUR/USDT", "side": "buy", "amount": 0.1, "price": 1.1, "timestamp": 5,
        "fee": {"cost": 0.0001, "currency": "EUR"},
    }  # fmt: skip

    for tap in client.fake.connect_taps:
        tap()
    for queue, item in ((client.fake.orders, order), (client.fake.trades, trade)):
        queue.put_nowait([item])
    for watch in watches:
        await watch()

    assert [Connected, Connected, OrderReport, TradeReport] == [type(each) for each in seen]
    assert ("0.1", "0.0001", 2) == (str(seen[2].order_qty), str(seen[3].fee), len(heard))


async def test_every_user_event_is_a_sign_of_life(client: FakeClient) -> None:
    heard: list[None] = []
    binance = BinanceSpot(client)
    await binance.open_orders([])
    binance.report_watches(lambda report: None, lambda: heard.append(None))

    for frame in (SUBSCRIBED, {"event": {"e": "outboundAccountPosition", "B": []}}, executed("NEW", "NEW", s="OTHER")):
        client.fake.read(frame)
    client.fake.read({"e": "trade", "s": "EURUSDT"})

    assert 2 == len(heard)
