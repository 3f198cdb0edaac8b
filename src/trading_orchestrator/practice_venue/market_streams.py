"""Public streams: <symbol>@trade and <symbol>@bookTicker, raw (/ws) or combined (/stream)."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

import msgspec
from aiohttp import WSMsgType, web

from trading_orchestrator.practice_venue.connection import Connection, deliver_frame
from trading_orchestrator.practice_venue.faults import Call, Faults, Phase
from trading_orchestrator.practice_venue.market import Market, Print, Quote
from trading_orchestrator.practice_venue.views import quote_event, trade_event

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, Any])


class MarketClient:
    """One public connection with its streams."""

    def __init__(self, connection: Connection, *, combined: bool) -> None:
        self.connection = connection
        self.combined = combined
        self.streams: set[str] = set()


class MarketStreams:
    """Fans quotes and trades out; each event is encoded once, and not at all without a subscriber."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._clients: dict[str, set[MarketClient]] = defaultdict(set)
        self._told: dict[str, Quote] = {}

    def connections(self) -> list[Connection]:
        return list({client.connection for clients in self._clients.values() for client in clients})

    def on_print(self, market: Market, trade: Print) -> None:
        stream = f"{market.instrument.symbol.lower()}@trade"
        if self._clients.get(stream):
            self._tell(stream, "trade", _encoder.encode(trade_event(market, trade)))

    def on_quote(self, market: Market) -> None:
        quote = market.quote()
        symbol = market.instrument.symbol
        if quote == self._told.get(symbol):
            return
        self._told[symbol] = quote
        market.update_id += 1
        stream = f"{symbol.lower()}@bookTicker"
        if self._clients.get(stream):
            self._tell(stream, "bookTicker", _encoder.encode(quote_event(market)))

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

    def _unsubscribe(self, client: MarketClient, streams: Iterable[str]) -> None:
        for stream in streams:
            client.streams.discard(stream)
            self._clients[stream].discard(client)
            if not self._clients[stream]:
                del self._clients[stream]

    def _tell(self, stream: str, kind: str, event: bytes) -> None:
        wrapped = b'{"stream":"%s","data":%s}' % (stream.encode(), event)
        for client in tuple(self._clients[stream]):
            struck = self._faults.strike(Phase.EVENT, Call(f"market_stream.{kind}", None, None))
            frame = wrapped if client.combined else event
            deliver_frame(client.connection, frame, struck[1] if struck else None)
