"""What a desk's facts are folded into: the state, the orders on their shelf, and what the present fact touched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from msgspec.structs import replace

from trading_orchestrator.brokers.port import OrderReport, TradeReport
from trading_orchestrator.trading.orders import evolve
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.orders.shelf import Shelf, UnknownOrder
from trading_orchestrator.trading.positions.balances import changes_of, with_changes
from trading_orchestrator.trading.positions.position import Position, book_trade, bust_trade
from trading_orchestrator.trading.state import VENUE_CLOCK_OFF_NS, State

QUARANTINE = "order.quarantined"
"""Why a symbol takes no entries while one of its orders is quarantined."""


@dataclass
class TradeRow:
    """A trade whose projection row changes. `gone`: a synthetic fill that real trades replaced whole."""

    trade: TradeReport
    cl_ord_id: str
    source: str
    state: str = "booked"
    gone: bool = False


@dataclass
class Desk:
    """The state under the fold with its orders shelved, and what the present fact touched."""

    state: State
    shelf: Shelf
    orders: dict[str, Order] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    trades: dict[str, TradeRow] = field(default_factory=dict)
    symbols: dict[str, None] = field(default_factory=dict)

    def keep(self, order: Order, at_ns: int) -> None:
        """Hold the order's new version and mark its row as changed."""
        order = evolve.stamped(order, at_ns)
        before = self.shelf.get(order.cl_ord_id)
        if before is None:
            order = replace(order, created_seq=self.state.seq + 1)
        if order.venue_order_id and (before is None or before.venue_order_id != order.venue_order_id):
            self.ids[f"{order.symbol}#{order.venue_order_id}"] = order.cl_ord_id
        self.shelf.put(order)
        self.orders[order.cl_ord_id] = order

    def book(self, trade: TradeReport) -> None:
        """Move position and balances by a trade."""
        self.positioned(book_trade(self.state.position(trade.symbol), trade))
        self.state.balances = with_changes(self.state.balances, changes_of(trade))
        if trade.at_ns <= self.state.unexplained_ns + VENUE_CLOCK_OFF_NS:
            self.state.explain_anew()

    def unbook(self, trade: TradeReport) -> None:
        """Move position and balances back."""
        self.positioned(bust_trade(self.state.position(trade.symbol), trade))
        self.state.balances = with_changes(self.state.balances, changes_of(trade), sign=-1)
        self.state.explain_anew()

    def positioned(self, position: Position) -> None:
        """Hold the position and mark its row as changed."""
        self.state.positions[position.symbol] = position
        self.symbols[position.symbol] = None

    def blocked(self) -> dict[str, str]:
        """Return the symbols without new entries and why: by a fact, or by a quarantined order nobody has looked at."""
        looked_at = self.state.looked_at
        quarantined = {each.symbol: QUARANTINE for each in self.shelf.quarantined() if each.cl_ord_id not in looked_at}
        return quarantined | self.state.blocked

    def of_report(self, report: OrderReport) -> Order:
        """Return the held order a report speaks of."""
        order = self.shelf.find(symbol=report.symbol, cl_ord_id=report.cl_ord_id, venue_order_id=report.venue_order_id)
        if order is None:
            raise UnknownOrder(
                f"expected to hold order {report.cl_ord_id or report.venue_order_id!r}: revive it first",
                cl_ord_id=report.cl_ord_id,
                venue_order_id=report.venue_order_id,
            )
        return order


Fold: TypeAlias = Callable[[Desk, Any, int], None]
"""How one kind of fact changes a desk: the desk, the fact's body, and when it was recorded (wall ns)."""
