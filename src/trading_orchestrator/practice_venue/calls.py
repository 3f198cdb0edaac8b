"""What can be asked of the venue: one table for REST and the WebSocket API alike."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from trading_orchestrator.practice_venue.candles import DAY_MS
from trading_orchestrator.practice_venue.exchange import Exchange, Fees
from trading_orchestrator.practice_venue.facts import OrderTraded
from trading_orchestrator.practice_venue.ledger import Order
from trading_orchestrator.practice_venue.market import Market
from trading_orchestrator.practice_venue.market_views import (
    aggregate_trade_view,
    book_ticker_view,
    candle_view,
    day_view,
    levels_view,
    public_trade_view,
)
from trading_orchestrator.practice_venue.order_request import (
    Params,
    read_client_id,
    read_integer,
    read_order,
    required,
)
from trading_orchestrator.practice_venue.refusals import VenueRefusal, missing, refusal
from trading_orchestrator.practice_venue.views import (
    account_view,
    canceled_view,
    my_trade_view,
    order_view,
    placed_view,
)

TOLD_WITHOUT_LIMIT = 600_000
"""The weight a minute that a venue without a limit tells of: nobody reaches it on loopback."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """What the calls work on."""

    exchange: Exchange
    fees: Fees
    now_ms: Callable[[], int]
    weight_limit: int
    may_withdraw: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Row:
    """One call. `name` is what faults and the log call it; `ws_method` is None where Binance has none.

    `weight` is what one request costs of the limit per minute, `weight_of_all` when it names no symbol.
    """

    name: str
    rest: tuple[str, str]
    ws_method: str | None
    signed: bool
    run: Callable[[Desk, str, Params], Any]
    weight: int = 1
    weight_of_all: int = 0

    def cost(self, params: Params) -> int:
        return self.weight_of_all if self.weight_of_all and "symbol" not in params else self.weight

    @property
    def changes_orders(self) -> bool:
        return self.name in ("order.place", "order.cancel", "open_orders.cancel")


def _ping(desk: Desk, account: str, params: Params) -> Any:
    return {}


def _time(desk: Desk, account: str, params: Params) -> Any:
    return {"serverTime": desk.now_ms()}


def _exchange_info(desk: Desk, account: str, params: Params) -> Any:
    return {
        "timezone": "UTC",
        "serverTime": desk.now_ms(),
        "rateLimits": [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": desk.weight_limit or TOLD_WITHOUT_LIMIT,
            }
        ],
        "exchangeFilters": [],
        "symbols": [market.instrument.described() for market in desk.exchange.listed()],
    }


def _book_ticker(desk: Desk, account: str, params: Params) -> Any:
    if "symbol" in params:
        return book_ticker_view(desk.exchange.market(params["symbol"]))
    return [book_ticker_view(market) for market in desk.exchange.markets.values()]


def _public_trades(desk: Desk, account: str, params: Params) -> Any:
    tape = list(desk.exchange.market(required(params, "symbol")).tape)
    return [public_trade_view(trade) for trade in tape[-_limit(params) :]]


def _aggregate_trades(desk: Desk, account: str, params: Params) -> Any:
    tape = list(desk.exchange.market(required(params, "symbol")).tape)
    start_ms = read_integer(params, "startTime") or 0
    return [aggregate_trade_view(trade) for trade in tape if trade.at_ms >= start_ms][-_limit(params) :]


def _depth(desk: Desk, account: str, params: Params) -> Any:
    market = desk.exchange.market(required(params, "symbol"))
    limit = read_integer(params, "limit") or 100
    sides = {name: market.depth(side, limit) for name, side in (("bids", "BUY"), ("asks", "SELL"))}
    return {"lastUpdateId": market.update_id, **{name: levels_view(side) for name, side in sides.items()}}


def _klines(desk: Desk, account: str, params: Params) -> Any:
    market = desk.exchange.market(required(params, "symbol"))
    candles = market.candles.of(required(params, "interval"), desk.now_ms())
    if candles is None:
        raise refusal(-1120)
    start_ms, end_ms = read_integer(params, "startTime"), read_integer(params, "endTime")
    wanted = [
        candle
        for candle in candles
        if (start_ms is None or candle.opens_ms >= start_ms) and (end_ms is None or candle.opens_ms <= end_ms)
    ]
    limit = _limit(params)
    return [candle_view(candle) for candle in (wanted[:limit] if start_ms is not None else wanted[-limit:])]


def _day(desk: Desk, account: str, params: Params) -> Any:
    if "symbol" in params:
        return _day_of(desk.exchange.market(params["symbol"]), desk.now_ms())
    return [_day_of(market, desk.now_ms()) for market in desk.exchange.markets.values()]


def _day_of(market: Market, now_ms: int) -> Any:
    minutes = market.candles.of("1m", now_ms) or ()
    return day_view(market, [minute for minute in minutes if minute.closes_ms > now_ms - DAY_MS], now_ms)


def _account(desk: Desk, account: str, params: Params) -> Any:
    ledger = desk.exchange.ledger
    return account_view(ledger.accounts[account], ledger.last_at_ms, desk.fees.maker_ratio, desk.fees.taker_ratio)


def _key_rights(desk: Desk, account: str, params: Params) -> Any:
    return {
        "ipRestrict": False,
        "createTime": 0,
        "enableReading": True,
        "enableSpotAndMarginTrading": True,
        "enableWithdrawals": desk.may_withdraw(account),
        "enableInternalTransfer": False,
        "permitsUniversalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "enableVanillaOptions": False,
    }


def _place(desk: Desk, account: str, params: Params) -> Any:
    request = read_order(params)
    order = desk.exchange.place(account, request)
    return placed_view(order, desk.exchange.ledger.trades_of_order(order.order_id), request.response_type)


def _cancel(desk: Desk, account: str, params: Params) -> Any:
    order = _named_order(desk, account, params)
    if order is None:
        raise refusal(-2011)
    cancel_id = read_client_id(params, "newClientOrderId")
    used_id = desk.exchange.cancel(order, cancel_id=cancel_id, sent_ms=read_integer(params, "timestamp"))
    return canceled_view(order, used_id)


def _cancel_open(desk: Desk, account: str, params: Params) -> Any:
    symbol = desk.exchange.market(required(params, "symbol")).instrument.symbol
    canceled = desk.exchange.cancel_all(account, symbol, sent_ms=read_integer(params, "timestamp"))
    if not canceled:
        raise refusal(-2011)
    return [canceled_view(order, cancel_id) for order, cancel_id in canceled]


def _query(desk: Desk, account: str, params: Params) -> Any:
    order = _named_order(desk, account, params)
    if order is None:
        raise refusal(-2013)
    return order_view(order)


def _open_orders(desk: Desk, account: str, params: Params) -> Any:
    symbol = params.get("symbol")
    if symbol is not None:
        desk.exchange.market(symbol)
    return [order_view(order) for order in desk.exchange.ledger.open_orders_of(account, symbol)]


def _all_orders(desk: Desk, account: str, params: Params) -> Any:
    symbol = desk.exchange.market(required(params, "symbol")).instrument.symbol
    orders = desk.exchange.ledger.orders_of(account, symbol)
    first_id = read_integer(params, "orderId")
    return [order_view(order) for order in _page(orders, params, first_id, _order_place)]


def _my_trades(desk: Desk, account: str, params: Params) -> Any:
    symbol = desk.exchange.market(required(params, "symbol")).instrument.symbol
    ledger = desk.exchange.ledger
    trades = ledger.trades_of(account, symbol)
    order_id = read_integer(params, "orderId")
    if order_id is not None:
        trades = ledger.trades_of_order(order_id) if ledger.order_by_id(account, symbol, order_id) else []
    return [my_trade_view(trade) for trade in _page(trades, params, read_integer(params, "fromId"), _trade_place)]


def _named_order(desk: Desk, account: str, params: Params) -> Order | None:
    symbol = desk.exchange.market(required(params, "symbol")).instrument.symbol
    order_id = read_integer(params, "orderId")
    client_order_id = read_client_id(params, "origClientOrderId")
    if order_id is not None:
        return desk.exchange.ledger.order_by_id(account, symbol, order_id)
    if client_order_id is None:
        raise VenueRefusal(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    return desk.exchange.ledger.order_by_client_id(account, symbol, client_order_id)


def _limit(params: Params) -> int:
    limit = read_integer(params, "limit")
    if limit == 0:
        raise missing("limit")
    return min(limit or 500, 1000)


def _order_place(order: Order) -> tuple[int, int]:
    return order.order_id, order.accepted_ms


def _trade_place(trade: OrderTraded) -> tuple[int, int]:
    return trade.trade_id, trade.at_ms


def _page(listed: list[T], params: Params, first_id: int | None, place: Callable[[T], tuple[int, int]]) -> list[T]:
    """Return up to `limit` of a list that rises in id and time: from a given start, else up to the newest."""
    start_ms, end_ms = read_integer(params, "startTime"), read_integer(params, "endTime")
    if start_ms is not None and end_ms is not None and end_ms - start_ms > DAY_MS:
        raise refusal(-1127)
    start, end = 0, len(listed)
    if first_id is not None:
        start = bisect_left(listed, first_id, key=lambda one: place(one)[0])
    if start_ms is not None:
        start = max(start, bisect_left(listed, start_ms, key=lambda one: place(one)[1]))
    if end_ms is not None:
        end = bisect_right(listed, end_ms, key=lambda one: place(one)[1])
    limit = _limit(params)
    from_start = first_id is not None or start_ms is not None
    return listed[start : min(end, start + limit)] if from_start else listed[max(start, end - limit) : end]


# Weights: binance-spot-api-docs, rest-api.md; depth and myTrades at their usual price.
ROWS = (
    Row("ping", ("GET", "/api/v3/ping"), "ping", False, _ping),
    Row("time", ("GET", "/api/v3/time"), "time", False, _time),
    Row("exchange_info", ("GET", "/api/v3/exchangeInfo"), "exchangeInfo", False, _exchange_info, 20),
    Row("book_ticker", ("GET", "/api/v3/ticker/bookTicker"), "ticker.book", False, _book_ticker, 2, 4),
    Row("public_trades", ("GET", "/api/v3/trades"), "trades.recent", False, _public_trades, 25),
    Row("public_trades", ("GET", "/api/v3/aggTrades"), "trades.aggregate", False, _aggregate_trades, 4),
    Row("depth", ("GET", "/api/v3/depth"), "depth", False, _depth, 5),
    Row("klines", ("GET", "/api/v3/klines"), "klines", False, _klines, 2),
    Row("day", ("GET", "/api/v3/ticker/24hr"), "ticker.24hr", False, _day, 2, 80),
    Row("account.query", ("GET", "/api/v3/account"), "account.status", True, _account, 20),
    Row("key.rights", ("GET", "/sapi/v1/account/apiRestrictions"), None, True, _key_rights),
    Row("order.place", ("POST", "/api/v3/order"), "order.place", True, _place),
    Row("order.cancel", ("DELETE", "/api/v3/order"), "order.cancel", True, _cancel),
    Row("order.query", ("GET", "/api/v3/order"), "order.status", True, _query, 4),
    Row("open_orders.query", ("GET", "/api/v3/openOrders"), "openOrders.status", True, _open_orders, 6, 80),
    Row("open_orders.cancel", ("DELETE", "/api/v3/openOrders"), "openOrders.cancelAll", True, _cancel_open),
    Row("orders.query", ("GET", "/api/v3/allOrders"), "allOrders", True, _all_orders, 20),
    Row("trades.query", ("GET", "/api/v3/myTrades"), "myTrades", True, _my_trades, 20),
)
BY_REST: Mapping[tuple[str, str], Row] = {row.rest: row for row in ROWS}
BY_WS_METHOD: Mapping[str, Row] = {row.ws_method: row for row in ROWS if row.ws_method}
