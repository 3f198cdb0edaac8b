"""The projection rows a desk writes: what the API shows, and what a start-up or a late trade needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec

from trading_orchestrator.kernel.money import plain
from trading_orchestrator.storage.ports import Put
from trading_orchestrator.trading.folded import Desk, TradeRow
from trading_orchestrator.trading.orders.edge import ord_status
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.orders.stored import ORDER_IDS, ORDERS, TRADES
from trading_orchestrator.trading.positions.position import Position
from trading_orchestrator.trading.state import State

POSITIONS = "positions"
DESKS = "desks"
SNAPSHOT = "snapshot"


def rows_touched(desk: Desk) -> Iterator[Put]:
    """Yield the rows of everything the last facts touched, as it is now."""
    state = desk.state
    for cl_ord_id, order in desk.orders.items():
        key = cl_ord_id
        if order.foreign:  # ours name their account; what others call theirs may recur on another account
            key = f"{state.account}/{cl_ord_id}"
            yield Put(ORDER_IDS, key, {"cl_ord_id": key})
        yield Put(ORDERS, key, order_row(state, order))
    for other_id, cl_ord_id in desk.ids.items():
        yield Put(ORDER_IDS, f"{state.account}/{other_id}", {"cl_ord_id": cl_ord_id})
    for key, trade in desk.trades.items():
        yield Put(TRADES, key, None if trade.gone else trade_row(state, trade, desk.shelf.get(trade.cl_ord_id)))
    for symbol in desk.symbols:
        yield Put(POSITIONS, f"{state.desk}/{symbol}", position_row(state, state.position(symbol)))
    yield Put(DESKS, state.desk, desk_row(desk))


def order_row(state: State, order: Order) -> dict[str, object]:
    """Return the order as the API shows it; `record` is the whole order, from which it can be revived."""
    return {
        "cl_ord_id": order.cl_ord_id,
        "desk": state.desk,
        "strategy": order.strategy,
        "symbol": order.symbol,
        "side": order.side.value,
        "ord_type": order.ord_type.value,
        "time_in_force": order.time_in_force.value,
        "order_qty": plain(order.effective_qty),
        "px": _plain(order.px),
        "ord_status": ord_status(order).value,
        "state": order.status.value,
        "cum_qty": plain(order.cum_qty),
        "leaves_qty": plain(order.leaves_qty),
        "avg_px": _plain(order.avg_px),
        "intent_id": order.intent_id,
        "generation": order.generation,
        "venue_order_id": order.venue_order_id,
        "foreign": order.foreign,
        "created_ns": order.created_ns,
        "updated_ns": order.updated_ns,
        "text": order.text,
        "record": msgspec.Raw(msgspec.json.encode(order)),
    }


def trade_row(state: State, row: TradeRow, order: Order | None) -> dict[str, object]:
    """Return the trade as the API shows it; `record` is the trade as booked, for busts and corrections."""
    trade = row.trade
    return {
        "trade_id": trade.trade_id,
        "desk": state.desk,
        "strategy": order.strategy if order is not None else "",
        "cl_ord_id": row.cl_ord_id,
        "symbol": trade.symbol,
        "side": trade.side.value,
        "last_qty": plain(trade.last_qty),
        "last_px": plain(trade.last_px),
        "fee": plain(trade.fee),
        "fee_asset": trade.fee_asset,
        "venue_order_id": trade.venue_order_id,
        "state": row.state,
        "source": row.source,
        "at_ns": trade.at_ns,
        "record": msgspec.Raw(msgspec.json.encode(trade)),
    }


def position_row(state: State, position: Position) -> dict[str, object]:
    """Return the position as the API shows it."""
    return {
        "desk": state.desk,
        "symbol": position.symbol,
        "qty": plain(position.qty),
        "avg_px": _plain(position.avg_px if position.qty else None),
        "realized": plain(position.realized),
        "cash_flow": plain(position.cash_flow),
        "fees": _plain_each(position.fees),
        "trades": position.trades,
    }


def desk_row(desk: Desk) -> dict[str, object]:
    """Return the summary of a desk."""
    state = desk.state
    return {
        "desk": state.desk,
        "account": state.account,
        "mode": state.mode_in_force,
        "mode_reason": state.reason_in_force,
        "kill_verified": state.kill_verified,
        "realized": _plain_each(state.realized()),
        "fees": _plain_each(state.fees()),
        "balances": _plain_each(state.balances),
        "open_orders": desk.shelf.open_count,
        "unknown_orders": desk.shelf.lacking_count,
        "blocked": desk.blocked(),
        "counts": msgspec.to_builtins(state.counts),
        "reconciled": msgspec.to_builtins(state.reconciled),
        "updated_ns": state.at_ns,
    }


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _plain_each(values: Mapping[str, Decimal]) -> dict[str, str]:
    return {key: plain(value) for key, value in values.items()}
