"""Binance Spot's JSON into our words, exactly: pure functions over answers and frames.

Source: binance-spot-api-docs, rest-api.md and user-data-stream.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from trading_orchestrator.brokers.ccxt.reading import raw_hash
from trading_orchestrator.brokers.port import (
    NewOrder,
    OrderReport,
    OrdType,
    Side,
    TimeInForce,
    TradeReport,
    VenueStatus,
)
from trading_orchestrator.kernel.money import plain
from trading_orchestrator.market.port import Bar, Instrument, Quote, Trade

Raw = Mapping[str, Any]

_SIDE = {"BUY": Side.BUY, "SELL": Side.SELL}
_TYPE = {"MARKET": OrdType.MARKET, "LIMIT": OrdType.LIMIT, "LIMIT_MAKER": OrdType.LIMIT_MAKER}
_STATUS = {
    "NEW": VenueStatus.NEW,
    "PENDING_NEW": VenueStatus.NEW,
    "PENDING_CANCEL": VenueStatus.PENDING_CANCEL,
    "PARTIALLY_FILLED": VenueStatus.PARTIALLY_FILLED,
    "FILLED": VenueStatus.FILLED,
    "CANCELED": VenueStatus.CANCELED,
    "REJECTED": VenueStatus.REJECTED,
    "EXPIRED": VenueStatus.EXPIRED,
    "EXPIRED_IN_MATCH": VenueStatus.EXPIRED,
}
CANDLES: Mapping[int, str] = {
    1: "1s",
    **{count * 60: f"{count}m" for count in (1, 3, 5, 15, 30)},
    **{count * 3600: f"{count}h" for count in (1, 2, 4, 6, 8, 12)},
    86_400: "1d",
}
"""Intervals by seconds; those of three days, weeks and months are not aligned as our bars are."""
_FOREIGN_TYPES = OrdType.LIMIT  # stop orders that somebody else placed on the account rest or match as limits


def ns(milliseconds: Any) -> int:
    return int(milliseconds) * 1_000_000


def order_params(order: NewOrder, market_id: str) -> dict[str, str]:
    """Return the parameters of POST /api/v3/order."""
    params = {
        "symbol": market_id,
        "side": order.side.name,
        "type": order.ord_type.name,
        "quantity": plain(order.order_qty),
        "newClientOrderId": order.cl_ord_id,
        "newOrderRespType": "FULL",
    }
    if order.px is not None:
        params["price"] = plain(order.px)
    if order.ord_type is OrdType.LIMIT:
        params["timeInForce"] = TimeInForce(order.time_in_force).name
    return params


def order_report(raw: Raw, symbol: str, source: str) -> OrderReport:
    """Return an order as REST describes it: POST, DELETE, order, openOrders. Raises KeyError, ValueError."""
    side, ord_type = _SIDE[raw["side"]], _TYPE.get(raw["type"], _FOREIGN_TYPES)
    venue_order_id = str(raw["orderId"])
    cl_ord_id = raw.get("origClientOrderId") or raw["clientOrderId"]
    at_ns = ns(raw["transactTime"] if "transactTime" in raw else raw["updateTime"])
    frame_hash = raw_hash(raw)
    return OrderReport(
        symbol=symbol,
        cl_ord_id=cl_ord_id,
        venue_order_id=venue_order_id,
        status=_STATUS[raw["status"]],
        side=side,
        ord_type=ord_type,
        order_qty=Decimal(raw["origQty"]),
        px=None if ord_type is OrdType.MARKET else Decimal(raw["price"]),
        cum_qty=Decimal(raw["executedQty"]),
        at_ns=at_ns,
        source=source,
        raw_hash=frame_hash,
        cum_quote=_cum_quote(raw.get("cummulativeQuoteQty")),
        trades=tuple(
            TradeReport(
                symbol=symbol,
                trade_id=str(fill["tradeId"]),
                venue_order_id=venue_order_id,
                cl_ord_id=cl_ord_id,
                side=side,
                last_qty=Decimal(fill["qty"]),
                last_px=Decimal(fill["price"]),
                fee=Decimal(fill["commission"]),
                fee_asset=fill["commissionAsset"],
                at_ns=at_ns,
                raw_hash=frame_hash,
            )
            for fill in raw.get("fills", ())
            if fill["commissionAsset"]  # see execution_report
        ),
    )


def _cum_quote(said: str | None) -> Decimal | None:
    """Below 0 it is not known (orders of before the venue kept it)."""
    quote_qty = Decimal(said) if said is not None else None
    return quote_qty if quote_qty is not None and quote_qty >= 0 else None


def trade_report(raw: Raw, symbol: str) -> TradeReport:
    """Return one element of myTrades, which does not name the client's id."""
    return TradeReport(
        symbol=symbol,
        trade_id=str(raw["id"]),
        venue_order_id=str(raw["orderId"]),
        cl_ord_id="",
        side=Side.BUY if raw["isBuyer"] else Side.SELL,
        last_qty=Decimal(raw["qty"]),
        last_px=Decimal(raw["price"]),
        fee=Decimal(raw["commission"]),
        fee_asset=raw["commissionAsset"] or "",
        at_ns=ns(raw["time"]),
        raw_hash=raw_hash(raw),
    )


def execution_report(raw: Raw, symbol: str) -> OrderReport:
    """Return an executionReport event; its trade, if it tells one whole, stands in `trades`.

    A fee without its asset would leave a balance wrong for ever: without the trade the report's `cum_qty` is a hole,
    and the trade is asked for.
    """
    side, ord_type = _SIDE[raw["S"]], _TYPE.get(raw["o"], _FOREIGN_TYPES)
    cl_ord_id = raw.get("C") or raw["c"]  # after a cancel `c` names the cancel and `C` the order
    at_ns, frame_hash = ns(raw["T"]), raw_hash(raw)
    trade = TradeReport(
        symbol=symbol,
        trade_id=str(raw["t"]),
        venue_order_id=str(raw["i"]),
        cl_ord_id=cl_ord_id,
        side=side,
        last_qty=Decimal(raw["l"]),
        last_px=Decimal(raw["L"]),
        fee=Decimal(raw["n"] or 0),
        fee_asset=raw["N"] or "",
        at_ns=at_ns,
        raw_hash=frame_hash,
    )
    reason = raw.get("r", "NONE")
    return OrderReport(
        symbol=symbol,
        cl_ord_id=cl_ord_id,
        venue_order_id=str(raw["i"]),
        status=_STATUS[raw["X"]],
        side=side,
        ord_type=ord_type,
        order_qty=Decimal(raw["q"]),
        px=None if ord_type is OrdType.MARKET else Decimal(raw["p"]),
        cum_qty=Decimal(raw["z"]),
        at_ns=at_ns,
        source="stream",
        raw_hash=frame_hash,
        cum_quote=_cum_quote(raw.get("Z")),
        trades=(trade,) if raw["x"] == "TRADE" and (trade.fee_asset or not trade.fee) else (),
        text="" if reason == "NONE" else reason,
    )


def quote(raw: Raw, symbol: str, at_ns: int, received_ns: int) -> Quote:
    """Return a bookTicker frame; spot sends it without a time, so `at_ns` is our estimate of the venue's clock."""
    return Quote(
        symbol=symbol,
        bid_px=Decimal(raw["b"]),
        bid_qty=Decimal(raw["B"]),
        ask_px=Decimal(raw["a"]),
        ask_qty=Decimal(raw["A"]),
        at_ns=ns(raw["E"]) if "E" in raw else at_ns,
        received_ns=received_ns,
    )


def book_ticker(raw: Raw, symbol: str, at_ns: int, received_ns: int) -> Quote:
    """Return the answer of ticker/bookTicker."""
    return Quote(
        symbol=symbol,
        bid_px=Decimal(raw["bidPrice"]),
        bid_qty=Decimal(raw["bidQty"]),
        ask_px=Decimal(raw["askPrice"]),
        ask_qty=Decimal(raw["askQty"]),
        at_ns=at_ns,
        received_ns=received_ns,
    )


def candle(raw: Sequence[Any], symbol: str, candle_s: int) -> Bar:
    """Return one row of klines."""
    open_ns = ns(raw[0])
    return Bar(symbol, open_ns, open_ns + candle_s * 1_000_000_000, *(Decimal(raw[place]) for place in range(1, 6)))


def public_trade(raw: Raw, symbol: str, received_ns: int) -> Trade:
    """Return a trade frame."""
    return Trade(
        symbol=symbol,
        trade_id=str(raw["t"]),
        px=Decimal(raw["p"]),
        qty=Decimal(raw["q"]),
        at_ns=ns(raw["T"]),
        received_ns=received_ns,
    )


def instrument(raw: Raw) -> Instrument:
    """Return one element of exchangeInfo's symbols."""
    filters = {each["filterType"]: each for each in raw["filters"]}
    size = filters["LOT_SIZE"]
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    return Instrument(
        symbol=f"{raw['baseAsset']}/{raw['quoteAsset']}",
        base=raw["baseAsset"],
        quote=raw["quoteAsset"],
        tick_px=_step(filters["PRICE_FILTER"]["tickSize"]),
        step_qty=_step(size["stepSize"]),
        min_qty=_limit(size.get("minQty")),
        max_qty=_limit(size.get("maxQty")),
        min_notional=_limit(notional.get("minNotional")),
    )


def _step(value: str) -> Decimal:
    """0.00001000 as 0.00001, so that quantize() by it rounds to the step and not to the zeros behind it."""
    return Decimal(plain(Decimal(value)))


def _limit(value: str | None) -> Decimal | None:
    return _step(value) if value is not None and Decimal(value) else None
