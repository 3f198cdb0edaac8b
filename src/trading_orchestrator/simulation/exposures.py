"""Invariant I8 from outside: what may still fill, added up from the venue's record and from the journal's facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from trading_orchestrator.brokers.port import NewOrder, OrderReport, Side, VenueStatus
from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.orders.client_id import is_ours
from trading_orchestrator.trading.orders.order import Order

LIVE = (VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED)


class Exposures:
    """Our own orders and position at the venue. A human's count as far as the journal knew them at our last intent.

    Nobody can hold a human to our limits: they leave us less room, from the moment we know of them.
    """

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._own_qty = ZERO
        self._humans_booked_qty = ZERO
        self._humans_qty = ZERO
        self.open: dict[str, OrderReport] = {}

    # -- what the venue says

    def heard(self, report: OrderReport) -> None:
        """Take one report of ours; each trade is in one of them."""
        self._own_qty += sum((trade.last_qty for trade in report.trades), ZERO) * report.side.sign
        if report.status in LIVE:
            self.open[report.cl_ord_id] = report
        else:
            self.open.pop(report.cl_ord_id, None)

    def worst_if_sent(self, sending: NewOrder, under_way: Mapping[str, NewOrder]) -> Decimal:
        """Return the position on the order's side if it and all that is open or under way fill."""
        side = sending.side
        may_fill = {order.cl_ord_id: order.order_qty for order in under_way.values() if order.side is side}
        may_fill |= {cl: each.order_qty - each.cum_qty for cl, each in self.open.items() if each.side is side}
        may_fill[sending.cl_ord_id] = sending.order_qty
        return (self._own_qty + self._humans_qty) * side.sign + sum(may_fill.values(), ZERO)

    # -- what the journal says

    def booked_for_a_human(self, qty: Decimal) -> None:
        """Count a human's trade that the journal has; `qty` below 0 is a sale."""
        self._humans_booked_qty += qty

    def begin_anew(self) -> None:
        """The journal is another one now: what it booked is counted again."""
        self._humans_booked_qty = ZERO

    def worst_reserved(self, book: Book, side: Side) -> Decimal:
        """Return the position plus every order that is not proved closed, added up here and not by the Book."""
        self._humans_qty = self._humans_booked_qty
        return book.position(self._symbol).qty * side.sign + sum(
            (_open_qty(order) for order in _unsettled(book, side)), ZERO
        )


def _unsettled(book: Book, side: Side) -> Iterable[Order]:
    found = {order.cl_ord_id: order for order in (*book.open_orders(), *book.holes())}
    return [order for order in found.values() if order.side is side]


def _open_qty(order: Order) -> Decimal:
    open_qty = ZERO if order.is_closed else order.order_qty - order.cum_qty
    return max(open_qty, order.venue_cum - order.cum_qty)


def is_humans(report: OrderReport) -> bool:
    """Return whether somebody else sent this order."""
    return not is_ours(report.cl_ord_id)
