"""The control port: faults, a held market, a human's orders, the whole truth for a judge."""

from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from aiohttp import web

from trading_orchestrator.practice_venue.credentials import Credentials
from trading_orchestrator.practice_venue.effects import FaultSpec
from trading_orchestrator.practice_venue.exchange import Exchange
from trading_orchestrator.practice_venue.faults import Fault, Faults, FaultUnknown
from trading_orchestrator.practice_venue.market_streams import MarketStreams
from trading_orchestrator.practice_venue.misdeeds import Misdeed, commit
from trading_orchestrator.practice_venue.order_request import read_order
from trading_orchestrator.practice_venue.prices.replay import Held, Replay
from trading_orchestrator.practice_venue.refusals import VenueRefusal, refusal
from trading_orchestrator.practice_venue.user_streams import UserStreams
from trading_orchestrator.practice_venue.views import my_trade_view, order_view, placed_view, text

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Control:
    """Handlers of the control port. Loopback only, no credentials: it is for tests and demos."""

    def __init__(
        self,
        exchange: Exchange,
        credentials: Credentials,
        faults: Faults,
        replays: dict[str, Replay],
        market_streams: MarketStreams,
        user_streams: UserStreams,
    ) -> None:
        self._exchange = exchange
        self._credentials = credentials
        self._faults = faults
        self._replays = replays
        self._user_streams = user_streams
        self._streams: dict[str, MarketStreams | UserStreams] = {"market": market_streams, "user": user_streams}

    def application(self) -> web.Application:
        app = web.Application(middlewares=[_wrong_use_is_400])
        app.add_routes(
            [
                web.get("/control/state", self.state),
                web.get("/control/faults", self.list_faults),
                web.post("/control/faults", self.add_fault),
                web.delete("/control/faults", self.clear_faults),
                web.delete("/control/faults/{fault_id}", self.clear_faults),
                web.post("/control/orders", self.place_order),
                web.delete("/control/orders/{order_id}", self.cancel_order),
                web.post("/control/transfers", self.transfer),
                web.post("/control/misdeeds", self.misbehave),
                web.post("/control/keys", self.change_key),
                web.post("/control/market", self.hold_market),
                web.post("/control/streams/close", self.close_streams),
            ]
        )
        return app

    async def state(self, request: web.Request) -> web.Response:
        """GET /control/state[?account=NAME]: balances, orders and trades of every account."""
        wanted = request.query.get("account")
        names = [name for name in self._exchange.ledger.accounts if wanted in (None, name)]
        return _json(
            {
                "last_seq": self._exchange.ledger.last_seq,
                "accounts": {name: self._account_state(name) for name in names},
                "markets": {symbol: self._market_state(symbol) for symbol in self._exchange.markets},
            }
        )

    async def list_faults(self, request: web.Request) -> web.Response:
        return _json({"faults": [_fault_view(fault) for fault in self._faults.list()]})

    async def add_fault(self, request: web.Request) -> web.Response:
        """POST /control/faults with one FaultSpec or a list of them."""
        specs = msgspec.json.decode(await request.read(), type=FaultSpec | list[FaultSpec])
        faults = [self._faults.add(spec) for spec in (specs if isinstance(specs, list) else [specs])]
        return _json({"faults": [_fault_view(fault) for fault in faults]})

    async def clear_faults(self, request: web.Request) -> web.Response:
        fault_id = request.match_info.get("fault_id")
        return _json({"cleared": self._faults.clear(int(fault_id) if fault_id else None)})

    async def place_order(self, request: web.Request) -> web.Response:
        """POST /control/orders: a human's order, with `account` and the parameters of POST /api/v3/order."""
        params = {name: str(value) for name, value in (await _body(request)).items()}
        account = self._known_account(params.pop("account", ""))
        order = self._exchange.place(account, read_order(params), external=True)
        return _json(placed_view(order, self._exchange.ledger.trades_of_order(order.order_id), "FULL"))

    async def cancel_order(self, request: web.Request) -> web.Response:
        order = self._exchange.ledger.orders.get(int(request.match_info["order_id"]))
        if order is None:
            raise refusal(-2011)
        self._exchange.cancel(order, cancel_id=None, sent_ms=None, external=True)
        return _json(order_view(order))

    async def transfer(self, request: web.Request) -> web.Response:
        """POST /control/transfers {account, asset, qty}: a deposit, or a withdrawal when negative."""
        body = await _body(request)
        account, asset = self._known_account(body["account"]), body["asset"]
        self._exchange.transfer(account, asset, Decimal(str(body["qty"])))
        return _json({"free": text(self._exchange.ledger.balance(account, asset).free)})

    async def misbehave(self, request: web.Request) -> web.Response:
        """POST /control/misdeeds with one Misdeed."""
        commit(self._exchange, msgspec.json.decode(await request.read(), type=Misdeed))
        return _json({})

    async def change_key(self, request: web.Request) -> web.Response:
        """POST /control/keys {account, revoked | may_withdraw}: refuse its key with -2015 or not; its rights."""
        body = await _body(request)
        account = self._known_account(body["account"])
        if "may_withdraw" in body:
            self._credentials.allow_withdrawals(account, allowed=bool(body["may_withdraw"]))
        if "revoked" in body or "may_withdraw" not in body:
            self._credentials.revoke(account, revoked=bool(body["revoked"]))
        return _json({})

    async def hold_market(self, request: web.Request) -> web.Response:
        """POST /control/market {symbol, bid, ask, bid_qty, ask_qty} holds the quotes; {symbol, go_on: true} ends it."""
        body = await _body(request)
        symbol = body.get("symbol") or next(iter(self._replays))
        self._exchange.market(symbol)
        held = None if body.get("go_on") else Held(*(Decimal(str(body[name])) for name in Held.__slots__))
        self._replays[symbol].hold(held)
        return _json(self._market_state(symbol))

    async def close_streams(self, request: web.Request) -> web.Response:
        """POST /control/streams/close {kind: market|user|all} and code: 1000, reset, half_open or expire: true."""
        body = await _body(request)
        kind = body.get("kind", "all")
        wanted = [streams for name, streams in self._streams.items() if kind in ("all", name)]
        connections = [connection for streams in wanted for connection in streams.connections()]
        if body.get("expire"):
            self._user_streams.expire()
            return _json({"closed": len(connections)})
        for connection in connections:
            if body.get("half_open"):
                connection.go_deaf()
            elif body.get("reset"):
                connection.abort()
            else:
                connection.close(int(body.get("code", 1000)))
        return _json({"closed": len(connections)})

    def _known_account(self, name: str) -> str:
        if name not in self._exchange.ledger.accounts:
            known = ", ".join(self._exchange.ledger.accounts)
            raise ValueError(f"expected an account named one of {known}, was {name!r}")
        return name

    def _account_state(self, name: str) -> dict[str, Any]:
        ledger = self._exchange.ledger
        balances = ledger.accounts[name].items()
        orders = [order for symbol in self._exchange.markets for order in ledger.orders_of(name, symbol)]
        trades = [trade for symbol in self._exchange.markets for trade in ledger.trades_of(name, symbol)]
        return {
            "balances": {asset: {"free": text(one.free), "locked": text(one.locked)} for asset, one in balances},
            "orders": [order_view(order) | {"external": order.external} for order in orders],
            "trades": [my_trade_view(trade) | {"clientOrderId": trade.client_order_id} for trade in trades],
        }

    def _market_state(self, symbol: str) -> dict[str, Any]:
        quote = self._exchange.markets[symbol].quote()
        held = self._replays[symbol].held is not None
        return {"bid": text(quote.bid), "bid_qty": text(quote.bid_qty), "ask": text(quote.ask)} | {
            "ask_qty": text(quote.ask_qty),
            "held": held,
        }


@web.middleware
async def _wrong_use_is_400(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except VenueRefusal as error:
        return _json({"error": error.text, "code": error.code}, status=400)
    except (FaultUnknown, KeyError, ValueError, InvalidOperation, msgspec.MsgspecError) as error:
        return _json({"error": str(error) or type(error).__name__}, status=400)


async def _body(request: web.Request) -> dict[str, Any]:
    return msgspec.json.decode(await request.read(), type=dict[str, Any])


def _fault_view(fault: Fault) -> dict[str, Any]:
    spec = msgspec.to_builtins(fault.spec)
    return {"id": fault.fault_id, "seen": fault.seen, "acted": fault.acted, "why": fault.effect.why, **spec}


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")
