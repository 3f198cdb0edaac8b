"""ccxt's unified structures into our words: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from trading_orchestrator.brokers.ccxt.reading import raw_hash
from trading_orchestrator.brokers.port import NewOrder, OrderReport, OrdType, Side, TradeReport, VenueStatus
from trading_orchestrator.kernel.money import ZERO, exact, from_float
from trading_orchestrator.market.port import Bar, Instrument, Quote, Trade

Raw = Mapping[str, Any]

_ENDED = {
    "canceled": VenueStatus.CANCELED,
    "expired": VenueStatus.EXPIRED,
    "rejected": VenueStatus.REJECTED,
}
# ccxt's precision modes (ccxt/base/decimal_to_precision.py).
_DECIMAL_PLACES, _TICK_SIZE = 2, 4


def number(value: Any) -> Decimal:
    """Return a unified number, which is a float, text or None, as a Decimal; None is 0."""
    if value is None:
        return ZERO
    return from_float(value) if isinstance(value, float) else exact(value)


def order_report(raw: Raw, source: str, now_ns: int) -> OrderReport:
    """Return a unified order. Raises KeyError, TypeError or ValueError for one without ids or side."""
    return _order(raw, raw["clientOrderId"], raw["symbol"], Side(raw["side"]), number(raw["amount"]), source, now_ns)


def listed_report(raw: Raw, now_ns: int) -> OrderReport:
    """Return an order of a list of open ones. Not every human names his orders: the id is "" then.

    A frame without a name may be of an order of ours whose venue id is not known yet, so it is no report.
    """
    named = {**raw, "clientOrderId": raw["clientOrderId"] or ""}
    return order_report(named, "open_orders", now_ns)


def answer_report(raw: Raw, sent: NewOrder, now_ns: int) -> OrderReport:
    """Return the answer to a submit; what the venue left out is taken from what was sent, except the ids."""
    amount = raw.get("amount")
    qty = sent.order_qty if amount is None else number(amount)
    return _order(raw, raw["clientOrderId"], sent.symbol, sent.side, qty, "answer", now_ns)


def _order(raw: Raw, cl_ord_id: Any, symbol: str, side: Side, qty: Decimal, source: str, now_ns: int) -> OrderReport:
    if not raw["id"] or not isinstance(cl_ord_id, str):
        raise ValueError("an order without ids")
    cum_qty = number(raw.get("filled"))
    is_market = raw.get("type") == "market"
    return OrderReport(
        symbol=symbol,
        cl_ord_id=cl_ord_id,
        venue_order_id=str(raw["id"]),
        status=_status(raw.get("status"), cum_qty, qty),
        side=side,
        ord_type=OrdType.MARKET if is_market else OrdType.LIMIT,
        order_qty=qty,
        px=None if is_market or raw.get("price") is None else number(raw["price"]),
        cum_qty=cum_qty,
        at_ns=_ns(raw.get("lastUpdateTimestamp") or raw.get("timestamp"), now_ns),
        source=source,
        raw_hash=raw_hash(raw.get("info")),
        cum_quote=number(raw["cost"]) if raw.get("cost") is not None else None,
        trades=tuple(_fill(each, raw, cl_ord_id, symbol, side) for each in raw.get("trades") or () if each.get("id")),
    )


def _status(said: Any, cum_qty: Decimal, qty: Decimal) -> VenueStatus:
    if said == "closed":
        return VenueStatus.FILLED if cum_qty >= qty else VenueStatus.EXPIRED
    return _ENDED.get(said, VenueStatus.PARTIALLY_FILLED if cum_qty else VenueStatus.NEW)


def _fill(raw: Raw, order: Raw, cl_ord_id: str, symbol: str, side: Side) -> TradeReport:
    merged = {**raw, "order": order["id"], "symbol": symbol, "side": side.value, "clientOrderId": cl_ord_id}
    return trade_report(merged)


def trade_report(raw: Raw) -> TradeReport:
    """Return a unified trade of our own."""
    fee = raw.get("fee") or {}
    return TradeReport(
        symbol=raw["symbol"],
        trade_id=str(raw["id"]),
        venue_order_id=str(raw["order"]),
        cl_ord_id=raw.get("clientOrderId") or "",
        side=Side(raw["side"]),
        last_qty=number(raw["amount"]),
        last_px=number(raw["price"]),
        fee=number(fee.get("cost")),
        fee_asset=fee.get("currency") or "",
        at_ns=_ns(raw["timestamp"], 0),
        raw_hash=raw_hash(raw.get("info")),
    )


def trade_order(trade: TradeReport) -> tuple[int, int, str]:
    """Sort key: venue time, then id."""
    return trade.at_ns, int(trade.trade_id) if trade.trade_id.isdigit() else 0, trade.trade_id


def is_after(trade_id: str, after_id: str) -> bool:
    """Return whether an id is above another; ids that are not numbers cannot tell, so they stay."""
    if trade_id.isdigit() and after_id.isdigit():
        return int(trade_id) > int(after_id)
    return trade_id != after_id


def quote(raw: Raw, now_ns: int, received_ns: int) -> Quote | None:
    """Return a unified ticker's best bid and ask, or None when it has none."""
    if raw.get("bid") is None or raw.get("ask") is None:
        return None
    return Quote(
        symbol=raw["symbol"],
        bid_px=number(raw["bid"]),
        bid_qty=number(raw.get("bidVolume")),
        ask_px=number(raw["ask"]),
        ask_qty=number(raw.get("askVolume")),
        at_ns=_ns(raw.get("timestamp"), now_ns),
        received_ns=received_ns,
    )


def candle(raw: Sequence[Any], symbol: str, candle_s: int) -> Bar:
    """Return one row of fetch_ohlcv."""
    open_ns = _ns(raw[0], 0)
    return Bar(symbol, open_ns, open_ns + candle_s * 1_000_000_000, *(number(raw[place]) for place in range(1, 6)))


def public_trade(raw: Raw, received_ns: int) -> Trade:
    """Return a unified public trade."""
    return Trade(
        symbol=raw["symbol"],
        trade_id=str(raw["id"]),
        px=number(raw["price"]),
        qty=number(raw["amount"]),
        at_ns=_ns(raw["timestamp"], 0),
        received_ns=received_ns,
    )


def instrument(market: Raw, precision_mode: int) -> Instrument | None:
    """Return a unified market, or None when its steps are unknown (significant digits, or none given)."""
    tick = _step(market["precision"].get("price"), precision_mode)
    step = _step(market["precision"].get("amount"), precision_mode)
    if tick is None or step is None:
        return None
    limits = market.get("limits") or {}
    return Instrument(
        symbol=market["symbol"],
        base=market["base"],
        quote=market["quote"],
        tick_px=tick,
        step_qty=step,
        min_qty=_limit(limits, "amount", "min"),
        max_qty=_limit(limits, "amount", "max"),
        min_notional=_limit(limits, "cost", "min"),
    )


def _step(precision: Any, mode: int) -> Decimal | None:
    if precision is None:
        return None
    if mode == _TICK_SIZE:
        return number(precision) or None
    return Decimal(1).scaleb(-int(precision)) if mode == _DECIMAL_PLACES else None


def _limit(limits: Raw, kind: str, bound: str) -> Decimal | None:
    value = (limits.get(kind) or {}).get(bound)
    return number(value) or None


def _ns(milliseconds: Any, otherwise_ns: int) -> int:
    return otherwise_ns if milliseconds is None else int(milliseconds) * 1_000_000
