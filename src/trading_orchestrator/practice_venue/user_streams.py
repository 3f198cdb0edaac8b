"""The WebSocket API: user data by signed subscription, and the REST calls by ws-api names."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from trading_orchestrator.practice_venue.calls import BY_WS_METHOD, Desk, Row
from trading_orchestrator.practice_venue.connection import Connection, deliver_event
from trading_orchestrator.practice_venue.effects import Delivery, Phase
from trading_orchestrator.practice_venue.exchange import Exchange
from trading_orchestrator.practice_venue.facts import AccountTransferred, Fact
from trading_orchestrator.practice_venue.faults import Call, Faults
from trading_orchestrator.practice_venue.gateway import Gateway, Reply, Request
from trading_orchestrator.practice_venue.ledger import Order
from trading_orchestrator.practice_venue.order_request import Params
from trading_orchestrator.practice_venue.refusals import Answer, VenueRefusal
from trading_orchestrator.practice_venue.views import Json, execution_report, position_event, transfer_event

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Subscription:
    connection: Connection
    number: int

    def framed(self, event: bytes) -> bytes:
        return b'{"subscriptionId":%d,"event":%s}' % (self.number, event)


@dataclass(frozen=True, slots=True)
class Event:
    """One event for one account; `client_order_id` lets a fault aim at one order's frames."""

    account: str
    body: Json
    client_order_id: str | None = None


class UserStreams:
    """Tells each account what happened to it, after it is in the log."""

    def __init__(self, exchange: Exchange, gateway: Gateway, faults: Faults) -> None:
        self._exchange = exchange
        self._gateway = gateway
        self._faults = faults
        self._by_account: dict[str, list[Subscription]] = defaultdict(list)
        self._events: list[Event] = []
        self._touched: dict[str, set[str]] = {}
        self._next_number = 0
        self._subscribing = Row(
            "user_stream.subscribe", ("", ""), "userDataStream.subscribe.signature", True, self._granted
        )

    def connections(self) -> list[Connection]:
        return list({subscription.connection for listed in self._by_account.values() for subscription in listed})

    def on_fact(self, fact: Fact, order: Order | None) -> None:
        """Note the event while the order stands as this fact left it."""
        if order is not None and self._by_account.get(order.account):
            report = execution_report(fact, order)
            if report is not None:
                instrument = self._exchange.markets[order.symbol].instrument
                self._events.append(Event(order.account, report, order.client_order_id))
                self._touched.setdefault(order.account, set()).update((instrument.base, instrument.quote))
        elif isinstance(fact, AccountTransferred) and self._by_account.get(fact.account):
            self._events.append(Event(fact.account, transfer_event(fact)))
            self._touched.setdefault(fact.account, set()).add(fact.asset)

    def on_batch_logged(self) -> None:
        events, self._events = self._events, []
        touched, self._touched = self._touched, {}
        for account, assets in touched.items():
            balances = [(asset, self._exchange.ledger.balance(account, asset)) for asset in sorted(assets)]
            events.append(Event(account, position_event(balances, self._exchange.ledger.last_at_ms)))
        for event in events:
            self._tell(event)

    async def serve(self, request: web.BaseRequest) -> web.WebSocketResponse:
        """Serve one ws-api connection until it closes."""
        socket = web.WebSocketResponse(compress=False, heartbeat=20.0)
        await socket.prepare(request)
        connection = Connection(request.transport, socket)
        tasks = {request.loop.create_task(connection.pump())}
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    task = request.loop.create_task(self._obey(connection, message.data))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
        finally:
            self._forget(connection)
            for task in tuple(tasks):
                task.cancel()
        return socket

    async def _obey(self, connection: Connection, data: str | bytes) -> None:
        try:
            message = _decoder.decode(data)
        except msgspec.MsgspecError:
            connection.send(_failed(None, VenueRefusal(-1000, "Invalid JSON")))
            return
        number, method, given = message.get("id"), str(message.get("method")), message.get("params", {})
        if not isinstance(given, dict):
            connection.send(_failed(number, VenueRefusal(-1100, "Illegal characters found in a parameter.")))
            return
        params = {name: _plain(value) for name, value in given.items()}
        if method == "userDataStream.subscribe.signature":
            await self._subscribe(connection, number, _request(self._subscribing, params))
        elif method == "userDataStream.unsubscribe":
            self._forget(connection)
            connection.send(_encoder.encode({"id": number, "status": 200, "result": {}, "rateLimits": []}))
        elif method in BY_WS_METHOD:
            reply = await self._gateway.serve(_request(BY_WS_METHOD[method], params))
            _deliver(connection, number, reply)
        else:
            connection.send(_failed(number, VenueRefusal(-1000, f"Unknown method: {method}")))

    def expire(self) -> None:
        """End every subscription as a session does that has expired: told, and the connection stays open."""
        for account, subscriptions in self._by_account.items():
            self._tell(Event(account, {"e": "eventStreamTerminated", "E": self._exchange.ledger.last_at_ms}))
            subscriptions.clear()

    async def _subscribe(self, connection: Connection, number: Any, request: Request) -> None:
        reply = await self._gateway.serve(request)
        granted = _granted_number(reply)
        if granted is not None:
            self._by_account[self._gateway.account_of(request)].append(Subscription(connection, granted))
        _deliver(connection, number, reply)

    def _granted(self, desk: Desk, account: str, params: Params) -> Any:
        self._next_number += 1
        return {"subscriptionId": self._next_number}

    def _forget(self, connection: Connection) -> None:
        for subscriptions in self._by_account.values():
            subscriptions[:] = [one for one in subscriptions if one.connection is not connection]

    def _tell(self, event: Event) -> None:
        body = _encoder.encode(event.body)
        for subscription in self._by_account[event.account]:
            call = Call(f"user_stream.{event.body['e']}", event.account, event.client_order_id)
            struck = self._faults.strike(Phase.EVENT, call, Answer(200, body))
            outcome = struck[1] if struck else None
            deliver_event(subscription.connection, body, outcome, wrap=subscription.framed)


def _granted_number(reply: Reply) -> int | None:
    """Return the number of the subscription to be served, None when it was refused or nothing shall follow."""
    if reply.answer.status != 200 or reply.delivery is Delivery.HOLLOW:
        return None
    try:
        number: int = _decoder.decode(reply.answer.body)["subscriptionId"]
    except msgspec.MsgspecError:  # a fault has mutilated the answer
        return None
    return number


def _request(row: Row, params: Mapping[str, str]) -> Request:
    signed = "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")
    return Request(row, params, params.get("apiKey"), signed)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _deliver(connection: Connection, number: Any, reply: Reply) -> None:
    if reply.delivery in (Delivery.RESET, Delivery.CUT_SHORT):
        connection.abort()
    elif reply.delivery is not Delivery.NEVER:
        connection.send(_framed(number, reply))


def _framed(number: Any, reply: Reply) -> bytes:
    answer = reply.answer
    if answer.content_type != "application/json" or not answer.body:
        return answer.body
    part = b"result" if answer.status == 200 else b"error"
    head = _encoder.encode({"id": number, "status": answer.status})[:-1]
    return b'%s,"%s":%s,"rateLimits":[]}' % (head, part, answer.body)


def _failed(number: Any, error: VenueRefusal) -> bytes:
    body = {"id": number, "status": error.http_status, "error": {"code": error.code, "msg": error.text}}
    return _encoder.encode(body | {"rateLimits": []})
