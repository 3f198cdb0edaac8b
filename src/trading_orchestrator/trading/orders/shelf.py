"""The orders held in memory, the ways to find one, and what they may yet trade."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from trading_orchestrator.brokers.port import Side
from trading_orchestrator.errors import Broken
from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.trading.orders.life import At
from trading_orchestrator.trading.orders.order import Order

LINGER = 256
"""Finished orders kept: late and repeated frames mostly come soon, and then need no look-up."""


class UnknownOrder(Broken):
    """A fact names an order that the book does not hold: revive it first. Facts: cl_ord_id."""

    code = "book.unknown_order"


class Shelf:
    """Orders by id. Holds what is unfinished and the `LINGER` that finished last.

    What leaves follows from the facts alone, never from how they were grouped, so a replay holds the same.
    Not thread-safe: belongs to the desk's loop.
    """

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._finished: dict[str, None] = {}
        self._by_venue_id: dict[tuple[str, str], str] = {}
        self._by_request_id: dict[str, str] = {}
        self._live_by_intent: dict[str, str] = {}
        self._open: dict[str, None] = {}
        self._lacking: dict[str, None] = {}
        self._holes: dict[str, None] = {}
        self._reserved: dict[tuple[str, Side], Decimal] = {}

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[Order]:
        return iter(self._orders.values())

    def get(self, cl_ord_id: str) -> Order | None:
        """Return the order that has, had or was asked to take this id."""
        return self._orders.get(cl_ord_id) or self._orders.get(self._by_request_id.get(cl_ord_id, ""))

    def by_venue_id(self, symbol: str, venue_order_id: str) -> Order | None:
        """Return the order that has or had this venue id on this symbol."""
        return self._orders.get(self._by_venue_id.get((symbol, venue_order_id), ""))

    def find(self, *, symbol: str, cl_ord_id: str, venue_order_id: str) -> Order | None:
        """Return the order a report speaks of: by our id, and only if it names none, by the venue's."""
        if cl_ord_id:
            return self.get(cl_ord_id)
        return self.by_venue_id(symbol, venue_order_id) if venue_order_id else None

    def need(self, cl_ord_id: str) -> Order:
        """Return the order.

        Raises:
            UnknownOrder: it is not held.
        """
        order = self.get(cl_ord_id)
        if order is None:
            raise UnknownOrder(f"expected to hold order {cl_ord_id!r}: revive it first", cl_ord_id=cl_ord_id)
        return order

    def live_of_intent(self, intent_id: str) -> Order | None:
        """Return the one order of this intent that is not closed (invariant I1)."""
        return self._orders.get(self._live_by_intent.get(intent_id, ""))

    def reserved(self, symbol: str, side: Side) -> Decimal:
        """Return the quantity that held orders of this side may yet trade, at worst."""
        return self._reserved.get((symbol, side), ZERO)

    def finished(self) -> list[str]:
        """Return the lingering finished orders' ids, the first to leave first."""
        return list(self._finished)

    def open(self) -> list[Order]:
        """Return the orders not proved closed, oldest first."""
        return self._oldest_first(self._open)

    def lacking(self) -> list[Order]:
        """Return the open orders in doubt: UNKNOWN and QUARANTINED."""
        return self._oldest_first(self._lacking)

    def quarantined(self) -> list[Order]:
        """Return the orders in doubt for longer than their budget."""
        return [order for order in self.lacking() if order.lack is At.QUARANTINED]

    def holes(self) -> list[Order]:
        """Return the orders of which the venue counts more filled than we have trades."""
        return self._oldest_first(self._holes)

    def _oldest_first(self, marked: dict[str, None]) -> list[Order]:
        if not marked:
            return []
        orders = [self._orders[cl_ord_id] for cl_ord_id in marked]
        return sorted(orders, key=lambda order: (order.created_ns, order.cl_ord_id))

    @property
    def open_count(self) -> int:
        return len(self._open)

    @property
    def lacking_count(self) -> int:
        return len(self._lacking)

    def put(self, order: Order) -> None:
        """Hold this version of the order, and let the oldest finished one go if there are too many."""
        before = self._orders.get(order.cl_ord_id)
        self._reserve(before, order)
        self._orders[order.cl_ord_id] = order
        if before is None or order.requests is not before.requests:
            self._index_requests(before, order)
        if before is None or order.venue_order_id != before.venue_order_id:
            self._index_venue_ids(before, order)
        self._mark(order)
        if not order.is_finished:
            self._finished.pop(order.cl_ord_id, None)
        elif order.cl_ord_id not in self._finished:
            self._finished[order.cl_ord_id] = None
        while len(self._finished) > LINGER:
            self._forget(next(iter(self._finished)))

    def linger(self, cl_ord_ids: list[str]) -> None:
        """Restore the order in which finished orders leave (from a snapshot)."""
        self._finished = dict.fromkeys(cl_ord_ids)

    def _reserve(self, before: Order | None, after: Order) -> None:
        change = after.at_risk_qty - (before.at_risk_qty if before is not None else ZERO)
        if change:
            key = (after.symbol, after.side)
            self._reserved[key] = self._reserved.get(key, ZERO) + change

    def _index_requests(self, before: Order | None, after: Order) -> None:
        for request in before.requests if before is not None else ():
            self._by_request_id.pop(request.request_id, None)
        for request in after.requests:
            self._by_request_id[request.request_id] = after.cl_ord_id

    def _index_venue_ids(self, before: Order | None, order: Order) -> None:
        if before is not None:
            self._forget_venue_ids(before)
        for venue_order_id in (*order.former_venue_ids, order.venue_order_id):
            holder = self.by_venue_id(order.symbol, venue_order_id)
            # A venue that gives an id out again means the newer order by it, whatever is still told of the older one.
            if venue_order_id and (holder is None or holder.created_ns <= order.created_ns):
                self._by_venue_id[order.symbol, venue_order_id] = order.cl_ord_id

    def _mark(self, order: Order) -> None:
        is_open = not order.is_closed
        _mark(self._open, order.cl_ord_id, is_open)
        _mark(self._lacking, order.cl_ord_id, is_open and order.lack is not None)
        _mark(self._holes, order.cl_ord_id, order.hole_qty > ZERO)
        if is_open and order.intent_id:
            self._live_by_intent[order.intent_id] = order.cl_ord_id
        elif self._live_by_intent.get(order.intent_id) == order.cl_ord_id:
            del self._live_by_intent[order.intent_id]

    def _forget(self, cl_ord_id: str) -> None:
        del self._finished[cl_ord_id]
        order = self._orders.pop(cl_ord_id)
        self._forget_venue_ids(order)
        for request in order.requests:
            self._by_request_id.pop(request.request_id, None)

    def _forget_venue_ids(self, order: Order) -> None:
        for venue_order_id in (*order.former_venue_ids, order.venue_order_id):
            if self._by_venue_id.get((order.symbol, venue_order_id)) == order.cl_ord_id:
                del self._by_venue_id[order.symbol, venue_order_id]


def _mark(marked: dict[str, None], cl_ord_id: str, is_so: bool) -> None:
    if is_so:
        marked.setdefault(cl_ord_id)
    else:
        marked.pop(cl_ord_id, None)
