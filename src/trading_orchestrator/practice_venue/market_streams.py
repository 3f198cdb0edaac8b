"""Public streams: trade, bookTicker, depth and kline of each symbol, raw (/ws) or combined (/stream)."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from urllib.parse import unquote

import msgspec
from aiohttp import WSMsgType, web

from trading_orchestrator.practice_venue.connection import Connection, deliver_event
from trading_orchestrator.practice_venue.depth_watch import Changes, DepthWatch
from trading_orchestrator.practice_venue.effects import Phase
from trading_orchestrator.practice_venue.exchange import Exchange
from trading_orchestrator.practice_venue.faults import Call, Faults
from trading_orchestrator.practice_venue.market import Market, Print, Quote
from trading_orchestrator.practice_venue.market_views import (
    candle_event,
    depth_event,
    partial_depth_event,
    quote_event,
    trade_event,
)
from trading_orchestrator.practice_venue.refusals import Answer
from trading_orchestrator.practice_venue.views import Json

CANDLES_EVERY_S = 1.0
DEPTH_PACES = ("", "@100ms", "@1000ms")
"""Every change is sent at once, whatever pace was asked for."""
PARTIAL_LEVELS = (5, 10, 20)

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, Any])


class MarketClient:
    """One public connection with its streams."""

    def __init__(self, connection: Connection, *, combined: bool) -> None:
        self.connection = connection
        self.combined = combined
        self.streams: set[str] = set()

    def framed(self, stream: str, event: bytes) -> bytes:
        return b'{"stream":"%s","data":%s}' % (stream.encode(), event) if self.combined else event


class MarketStreams:
    """Fans quotes and trades out; each event is encoded once, and not at all without a subscriber."""

    def __init__(self, exchange: Exchange, faults: Faults, now_ms: Callable[[], int]) -> None:
        self._exchange = exchange
        self._faults = faults
        self._now_ms = now_ms
        self._depth = DepthWatch()
        self._told_candle_ms: dict[str, int] = {}
        self._clients: dict[str, set[MarketClient]] = defaultdict(set)
        self._told: dict[str, Quote] = {}

    def connections(self) -> list[Connection]:
        return list({client.connection for clients in self._clients.values() for client in clients})

    def on_print(self, market: Market, trade: Print) -> None:
        self._tell_if_heard(f"{market.instrument.symbol.lower()}@trade", "trade", lambda: trade_event(market, trade))

    def on_quote(self, market: Market) -> None:
        """Number and tell the changes of the book; one number a change, as snapshots and streams share it."""
        quote, symbol = market.quote(), market.instrument.symbol
        moved = quote != self._told.get(symbol)
        changes = self._depth.changes(market)
        if not moved and changes is None:
            return
        self._told[symbol] = quote
        market.update_id += 1
        if moved:
            self._tell_if_heard(f"{symbol.lower()}@bookTicker", "bookTicker", lambda: quote_event(market))
        if changes is not None:
            self._tell_depth(market, changes)

    async def tell_candles(self) -> None:
        """Tell every subscribed candle once a second, and each that has closed once more."""
        while True:
            await asyncio.sleep(CANDLES_EVERY_S)
            for stream in [name for name in self._clients if "@kline_" in name]:
                self._tell_candle(stream)

    def _tell_candle(self, stream: str) -> None:
        name, _, interval = stream.partition("@kline_")
        market = self._exchange.markets.get(name.upper())
        now_ms = self._now_ms()
        candles = market.candles.of(interval, now_ms) if market is not None else None
        if market is None or not candles:
            return
        told_ms = self._told_candle_ms.get(stream, candles[-1].opens_ms)
        self._told_candle_ms[stream] = candles[-1].opens_ms
        for candle in [candle for candle in candles if candle.opens_ms >= told_ms]:
            is_closed = candle is not candles[-1]
            event = candle_event(market.instrument.symbol, interval, candle, at_ms=now_ms, is_closed=is_closed)
            self._tell(stream, "kline", _encoder.encode(event))

    def _tell_depth(self, market: Market, changes: Changes) -> None:
        symbol, now_ms = market.instrument.symbol.lower(), self._now_ms()
        for pace in DEPTH_PACES:
            stream = f"{symbol}@depth{pace}"
            self._tell_if_heard(stream, "depth", lambda: depth_event(market, market.update_id, *changes, now_ms))
            for levels in PARTIAL_LEVELS:
                stream = f"{symbol}@depth{levels}{pace}"
                self._tell_if_heard(stream, "depth", partial(partial_depth_event, market, levels))

    def _tell_if_heard(self, stream: str, kind: str, event: Callable[[], Json]) -> None:
        if self._clients.get(stream):
            self._tell(stream, kind, _encoder.encode(event()))

    async def serve(self, request: web.BaseRequest, path: str, query: dict[str, str]) -> web.WebSocketResponse:
        """Serve one public connection until it closes."""
        socket = web.WebSocketResponse(compress=False, heartbeat=20.0)
        await socket.prepare(request)
        combined = path == "/stream"
        client = MarketClient(Connection(request.transport, socket), combined=combined)
        named = query.get("streams", "") if combined else unquote(path.removeprefix("/ws")).strip("/")
        self._subscribe(client, [name for name in named.split("/") if name])
        pump = request.loop.create_task(client.connection.pump())
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    client.connection.send(self._obey(client, message.data))
        finally:
            pump.cancel()
            self._unsubscribe(client, list(client.streams))
        return socket

    def _obey(self, client: MarketClient, data: str | bytes) -> bytes:
        try:
            message = _decoder.decode(data)
        except msgspec.MsgspecError:
            return _encoder.encode({"error": {"code": 3, "msg": "Invalid JSON: expected value"}})
        method, streams, number = message.get("method"), message.get("params", []), message.get("id")
        result: list[str] | None = None
        if not isinstance(streams, list):
            said = "Invalid request: expected `params` to be a list of stream names"
            return _encoder.encode({"error": {"code": 2, "msg": said}, "id": number})
        if method == "SUBSCRIBE":
            self._subscribe(client, streams)
        elif method == "UNSUBSCRIBE":
            self._unsubscribe(client, streams)
        elif method == "LIST_SUBSCRIPTIONS":
            result = sorted(client.streams)
        else:
            return _encoder.encode(
                {"error": {"code": 2, "msg": f"Invalid request: unknown method {method}"}, "id": number}
            )
        return _encoder.encode({"result": result, "id": number})

    def _subscribe(self, client: MarketClient, streams: Iterable[str]) -> None:
        for stream in streams:
            client.streams.add(stream)
            self._clients[stream].add(client)
            market = self._market_of_depth(stream)
            if market is not None:
                self._depth.begin(market)

    def _unsubscribe(self, client: MarketClient, streams: Iterable[str]) -> None:
        for stream in streams:
            client.streams.discard(stream)
            self._clients[stream].discard(client)
            if self._clients[stream]:
                continue
            del self._clients[stream]
            self._told_candle_ms.pop(stream, None)
            market = self._market_of_depth(stream)
            if market is not None and not any(self._market_of_depth(other) is market for other in self._clients):
                self._depth.end(market)

    def _market_of_depth(self, stream: str) -> Market | None:
        symbol, _, kind = stream.partition("@")
        return self._exchange.markets.get(symbol.upper()) if kind.startswith("depth") else None

    def _tell(self, stream: str, kind: str, event: bytes) -> None:
        call = Call(f"market_stream.{kind}", None, None)
        for client in tuple(self._clients[stream]):
            struck = self._faults.strike(Phase.EVENT, call, Answer(200, event))
            wrap = partial(client.framed, stream)
            deliver_event(client.connection, event, struck[1] if struck else None, wrap=wrap)
