"""How orders, trades and balances look on the wire: Binance Spot's JSON objects.

Source: binance-spot-api-docs, rest-api.md and user-data-stream.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from trading_orchestrator.practice_venue.facts import (
    ZERO,
    AccountTransferred,
    Fact,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderTraded,
)
from trading_orchestrator.practice_venue.ledger import Balance, Order

Json = dict[str, Any]


def text(amount: Decimal) -> str:
    return f"{amount:.8f}"


def order_view(order: Order) -> Json:
    """GET /api/v3/order."""
    return {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        **_order_amounts(order),
        "stopPrice": "0.00000000",
        "icebergQty": "0.00000000",
        "time": order.accepted_ms,
        "updateTime": order.updated_ms,
        "isWorking": True,
        "workingTime": order.accepted_ms,
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


def placed_view(order: Order, trades: Sequence[OrderTraded], response_type: str) -> Json:
    """POST /api/v3/order, as ACK, RESULT or FULL."""
    view: Json = {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        "transactTime": order.updated_ms,
    }
    if response_type == "ACK":
        return view
    view |= _order_amounts(order)
    view |= {"workingTime": order.accepted_ms, "selfTradePreventionMode": "EXPIRE_MAKER"}
    if response_type == "FULL":
        view["fills"] = [_fill(trade) for trade in trades]
    return view


def canceled_view(order: Order, cancel_id: str) -> Json:
    """DELETE /api/v3/order: `clientOrderId` is the id of the cancel."""
    return {
        "symbol": order.symbol,
        "origClientOrderId": order.client_order_id,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": cancel_id,
        "transactTime": order.updated_ms,
        **_order_amounts(order),
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }


def my_trade_view(trade: OrderTraded) -> Json:
    """GET /api/v3/myTrades."""
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": text(trade.price),
        "qty": text(trade.qty),
        "quoteQty": text(trade.quote_qty),
        "commission": text(trade.commission),
        "commissionAsset": trade.commission_asset,
        "time": trade.at_ms,
        "isBuyer": trade.side == "BUY",
        "isMaker": trade.is_maker,
        "isBestMatch": True,
    }


def account_view(balances: Mapping[str, Balance], updated_ms: int, maker: Decimal, taker: Decimal) -> Json:
    """GET /api/v3/account."""
    return {
        "makerCommission": int(maker * 10_000),
        "takerCommission": int(taker * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": text(maker), "taker": text(taker), "buyer": text(ZERO), "seller": text(ZERO)},
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": updated_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": text(balance.free), "locked": text(balance.locked)}
            for asset, balance in sorted(balances.items())
        ],
        "permissions": ["SPOT"],
    }


def execution_report(fact: Fact, order: Order) -> Json | None:
    """Return the executionReport of a fact about an order, with the order as the fact left it."""
    kinds: dict[type[Fact], str] = {
        OrderAccepted: "NEW",
        OrderTraded: "TRADE",
        OrderCanceled: "CANCELED",
        OrderExpired: "EXPIRED",
    }
    kind = kinds.get(type(fact))
    if kind is None:
        return None
    if order.status == "EXPIRED_IN_MATCH":
        kind = "TRADE_PREVENTION"
    trade = fact if isinstance(fact, OrderTraded) else None
    canceled = fact if isinstance(fact, OrderCanceled) else None
    return {
        "e": "executionReport",
        "E": fact.at_ms,
        "s": order.symbol,
        "c": canceled.cancel_id if canceled else order.client_order_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": text(order.qty),
        "p": text(order.price),
        "P": "0.00000000",
        "F": "0.00000000",
        "g": -1,
        "C": order.client_order_id if canceled else "",
        "x": kind,
        "X": order.status,
        "r": "NONE",
        "i": order.order_id,
        "l": text(trade.qty if trade else ZERO),
        "z": text(order.cum_qty),
        "L": text(trade.price if trade else ZERO),
        "n": text(trade.commission) if trade else "0",
        "N": trade.commission_asset if trade else None,
        "T": fact.at_ms,
        "t": trade.trade_id if trade else -1,
        "I": fact.seq,
        "w": order.is_open,
        "m": trade.is_maker if trade else False,
        "M": False,
        "O": order.accepted_ms,
        "Z": text(order.cum_quote_qty),
        "Y": text(trade.quote_qty if trade else ZERO),
        "Q": text(order.quote_order_qty),
        "W": order.accepted_ms,
        "V": "EXPIRE_MAKER",
    }


def position_event(balances: Iterable[tuple[str, Balance]], at_ms: int) -> Json:
    """outboundAccountPosition: the balances that may have changed."""
    return {
        "e": "outboundAccountPosition",
        "E": at_ms,
        "u": at_ms,
        "B": [{"a": asset, "f": text(balance.free), "l": text(balance.locked)} for asset, balance in balances],
    }


def transfer_event(fact: AccountTransferred) -> Json:
    """balanceUpdate: a deposit or a withdrawal."""
    return {"e": "balanceUpdate", "E": fact.at_ms, "a": fact.asset, "d": text(fact.qty), "T": fact.at_ms}


def _order_amounts(order: Order) -> Json:
    return {
        "price": text(order.price),
        "origQty": text(order.qty),
        "executedQty": text(order.cum_qty),
        "origQuoteOrderQty": text(order.quote_order_qty),
        "cummulativeQuoteQty": text(order.cum_quote_qty),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": order.side,
    }


def _fill(trade: OrderTraded) -> Json:
    return {
        "price": text(trade.price),
        "qty": text(trade.qty),
        "commission": text(trade.commission),
        "commissionAsset": trade.commission_asset,
        "tradeId": trade.trade_id,
    }
