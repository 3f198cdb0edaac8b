"""The request to place an order, read from its parameters and checked as Binance checks it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from trading_orchestrator.practice_venue.facts import ZERO
from trading_orchestrator.practice_venue.instrument import ORDER_TYPES, TIMES_IN_FORCE
from trading_orchestrator.practice_venue.refusals import (
    illegal_characters,
    missing,
    not_required,
    refusal,
    too_precise,
)

Params = Mapping[str, str]

_LEGAL_CLIENT_ID = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
_LEGAL_DECIMAL = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_LEGAL_INTEGER = r"^[0-9]{1,20}$"
_client_id = re.compile(_LEGAL_CLIENT_ID)
_decimal = re.compile(_LEGAL_DECIMAL)
_integer = re.compile(_LEGAL_INTEGER)


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """Prices and quantities are 0 where the order type has none."""

    symbol: str
    side: str
    type: str
    time_in_force: str
    price: Decimal
    qty: Decimal
    quote_order_qty: Decimal
    client_order_id: str | None
    response_type: str
    sent_ms: int | None
    recv_window_ms: int | None


def read_order(params: Params) -> OrderRequest:
    """Return the order asked for, or raise the refusal that Binance would answer with."""
    order_type = _one_of(params, "type", ORDER_TYPES, -1116)
    side = _one_of(params, "side", ("BUY", "SELL"), -1117)
    is_market = order_type == "MARKET"
    price, qty, quote_order_qty = (read_decimal(params, name) for name in ("price", "quantity", "quoteOrderQty"))
    if is_market and price:
        raise not_required("price")
    if not is_market and not price:
        raise missing("price")
    if quote_order_qty and (qty or not is_market):
        raise not_required("quoteOrderQty")
    if not qty and not quote_order_qty:
        raise missing("quantity")
    return OrderRequest(
        symbol=required(params, "symbol"),
        side=side,
        type=order_type,
        time_in_force=_time_in_force(params, order_type),
        price=price,
        qty=qty,
        quote_order_qty=quote_order_qty,
        client_order_id=read_client_id(params, "newClientOrderId"),
        response_type=params.get("newOrderRespType", "FULL"),
        sent_ms=read_integer(params, "timestamp"),
        recv_window_ms=read_integer(params, "recvWindow"),
    )


def required(params: Params, name: str) -> str:
    value = params.get(name, "")
    if not value:
        raise missing(name)
    return value


def read_decimal(params: Params, name: str) -> Decimal:
    """Return the parameter, or 0 when it is absent."""
    text = params.get(name)
    if text is None:
        return ZERO
    if not _decimal.match(text):
        raise illegal_characters(name, _LEGAL_DECIMAL)
    value = Decimal(text)
    if value.as_tuple().exponent < -8:  # type: ignore[operator]  # the pattern admits finite numbers only
        raise too_precise(name)
    return value


def read_integer(params: Params, name: str) -> int | None:
    text = params.get(name)
    if text is None:
        return None
    if not _integer.match(text):
        raise illegal_characters(name, _LEGAL_INTEGER)
    return int(text)


def read_client_id(params: Params, name: str) -> str | None:
    text = params.get(name)
    if text is not None and not _client_id.match(text):
        raise illegal_characters(name, _LEGAL_CLIENT_ID)
    return text


def _one_of(params: Params, name: str, known: tuple[str, ...], code: int) -> str:
    value = required(params, name)
    if value not in known:
        raise refusal(code)
    return value


def _time_in_force(params: Params, order_type: str) -> str:
    given = params.get("timeInForce")
    if order_type != "LIMIT":
        if given is not None:
            raise not_required("timeInForce")
        return "GTC"
    return _one_of({"timeInForce": given or ""}, "timeInForce", TIMES_IN_FORCE, -1115)
