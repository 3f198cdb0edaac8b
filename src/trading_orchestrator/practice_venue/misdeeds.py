"""What the venue itself does wrong when the control port asks for it: a table from names to deeds (F14, F36, F39)."""

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from trading_orchestrator.practice_venue.exchange import Exchange
from trading_orchestrator.practice_venue.facts import OrderTraded, TradeBusted, TradeCorrected
from trading_orchestrator.practice_venue.ledger import Order


class Misdeed(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """One misdeed; `deed` is a name of DEEDS, and each deed reads the fields that it needs."""

    deed: str
    account: str = ""
    symbol: str = ""
    client_order_id: str = ""
    trade_id: int = 0
    qty: Decimal = Decimal(0)
    price: Decimal = Decimal(0)
    next_order_id: int = 1
    next_trade_id: int = 1


def commit(exchange: Exchange, misdeed: Misdeed) -> None:
    """Do it. Raises ValueError when the deed, its order or its trade is not known."""
    if misdeed.deed not in DEEDS:
        raise ValueError(f"expected a deed named one of {', '.join(DEEDS)}, was {misdeed.deed!r}")
    DEEDS[misdeed.deed](exchange, misdeed)


def _overfill(exchange: Exchange, misdeed: Misdeed) -> None:
    """Trade `qty` at `price` on the order, whatever it asked for."""
    exchange.execute(_order(exchange, misdeed), misdeed.qty, misdeed.price)


def _bust(exchange: Exchange, misdeed: Misdeed) -> None:
    """Take the account's trade back; Binance Spot has no frame that says so."""
    trade = _trade(exchange, misdeed)
    exchange.record(
        TradeBusted(
            account=trade.account,
            client_order_id=trade.client_order_id,
            order_id=trade.order_id,
            symbol=trade.symbol,
            trade_id=trade.trade_id,
        )
    )


def _correct(exchange: Exchange, misdeed: Misdeed) -> None:
    """Change the price of the account's trade."""
    trade = _trade(exchange, misdeed)
    exchange.record(
        TradeCorrected(
            account=trade.account,
            client_order_id=trade.client_order_id,
            order_id=trade.order_id,
            symbol=trade.symbol,
            trade_id=trade.trade_id,
            price=misdeed.price,
        )
    )


def _set_counters(exchange: Exchange, misdeed: Misdeed) -> None:
    """Give ids out from `next_order_id` and, on the symbol, from `next_trade_id`, again if need be."""
    exchange.set_counters(misdeed.symbol, next_order_id=misdeed.next_order_id, next_trade_id=misdeed.next_trade_id)


def _delist(exchange: Exchange, misdeed: Misdeed) -> None:
    """Know the symbol no more: -1121 to whatever is asked of it."""
    exchange.delist(misdeed.symbol)


DEEDS: Mapping[str, Callable[[Exchange, Misdeed], None]] = {
    "overfill": _overfill,
    "bust": _bust,
    "correct": _correct,
    "set_counters": _set_counters,
    "delist": _delist,
}


def _order(exchange: Exchange, misdeed: Misdeed) -> Order:
    order = exchange.ledger.order_by_client_id(misdeed.account, misdeed.symbol, misdeed.client_order_id)
    if order is None:
        raise ValueError(f"expected an order of {misdeed.account} on {misdeed.symbol}, was {misdeed.client_order_id!r}")
    return order


def _trade(exchange: Exchange, misdeed: Misdeed) -> OrderTraded:
    for trade in exchange.ledger.trades_of(misdeed.account, misdeed.symbol):
        if trade.trade_id == misdeed.trade_id:
            return trade
    raise ValueError(f"expected a trade of {misdeed.account} on {misdeed.symbol}, was {misdeed.trade_id}")
