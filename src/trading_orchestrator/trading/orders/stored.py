"""Orders and trades as projection rows store them: where they are, and how they read back."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from trading_orchestrator.brokers.port import TradeReport
from trading_orchestrator.errors import Broken
from trading_orchestrator.trading.orders.order import Order

ORDERS = "orders"
ORDER_IDS = "order_ids"
TRADES = "trades"
BUSTED = "busted"
T = TypeVar("T")


class RowDamaged(Broken):
    """A projection row does not read back. It is a cache: `journal rebuild-projections` writes it anew."""

    code = "row.damaged"


class StoredTrade(msgspec.Struct):
    """What a row of the `trades` projection tells of a trade: as booked last, its order, and what became of it."""

    record: TradeReport
    state: str
    cl_ord_id: str

    @property
    def is_busted(self) -> bool:
        return self.state == BUSTED


class _StoredOrder(msgspec.Struct):
    record: Order


class _StoredId(msgspec.Struct):
    cl_ord_id: str


def stored_trade(value: bytes) -> StoredTrade:
    """Return the trade stored in a row of the `trades` projection."""
    return _decoded(value, StoredTrade)


def revived_order(value: bytes) -> Order:
    """Return the order stored in a row of the `orders` projection."""
    return _decoded(value, _StoredOrder).record


def named_order(value: bytes) -> str:
    """Return the cl_ord_id that a row of the `order_ids` projection leads to."""
    return _decoded(value, _StoredId).cl_ord_id


def _decoded(value: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(value, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RowDamaged(
            f"a stored row of an order or trade is damaged ({error}): stop every node and run "
            "`journal rebuild-projections`, which writes all rows anew from the facts"
        ) from error
