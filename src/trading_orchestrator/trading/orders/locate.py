"""Which order a report speaks of: one we hold, one to revive, one to adopt, a foreign one, or none."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from trading_orchestrator.brokers.port import OrderReport, TradeReport
from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.orders import evolve
from trading_orchestrator.trading.orders.client_id import is_ours
from trading_orchestrator.trading.orders.finding import ADOPTED, VENUE, Ask, Finding, Known
from trading_orchestrator.trading.orders.ledger import Ledger
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.orders.stored import ORDER_IDS, ORDERS, named_order, revived_order


@dataclass(frozen=True)
class Place:
    """The order, with the facts that bring it into the book; or the finding that comes first; or neither."""

    order: Order | None = None
    facts: tuple[f.Body, ...] = ()
    finding: Finding | None = None


def locate(
    book: Ledger,
    *,
    symbol: str,
    cl_ord_id: str,
    venue_order_id: str,
    known: Known,
    report: OrderReport | None = None,
    trade: TradeReport | None = None,
) -> Place:
    """Return where this evidence belongs.

    Args:
        trade: the execution, if that is the evidence.
        report: the venue's word on the order, if that is the evidence: an order not in the journal can then be
            adopted (our prefix) or noted as foreign.
    """
    place = _locate(book, symbol, cl_ord_id, venue_order_id, known, report, trade)
    if place.order is not None and _is_namesake(place.order, venue_order_id):
        return _foreign(report)
    return place


def _is_namesake(order: Order, venue_order_id: str) -> bool:
    """Humans give a client id out again once its order has ended: then another venue id is another order."""
    return order.foreign and order.is_closed and venue_order_id not in ("", order.venue_order_id)


def _locate(
    book: Ledger,
    symbol: str,
    cl_ord_id: str,
    venue_order_id: str,
    known: Known,
    report: OrderReport | None,
    trade: TradeReport | None,
) -> Place:
    order = book.find_order(symbol=symbol, cl_ord_id=cl_ord_id, venue_order_id=venue_order_id)
    if order is not None:
        return Place(order) if cl_ord_id else _by_venue_id(book, Place(order), order, trade, known)
    stored = _stored(book, cl_ord_id or f"{symbol}#{venue_order_id}", known)
    if stored is not None:
        named_by_us = cl_ord_id or stored.order is None
        return stored if named_by_us else _by_venue_id(book, stored, stored.order, trade, known)
    if is_ours(cl_ord_id):
        return _adopt(cl_ord_id, report, known)
    unasked = () if cl_ord_id else _may_own(book, symbol, known)
    if unasked:
        return Place(finding=Finding(asks=unasked))
    return _foreign(report)


def _by_venue_id(book: Ledger, place: Place, order: Order | None, trade: TradeReport | None, known: Known) -> Place:
    """Venues give their ids out again (F36): that an ended order once had this one does not make the trade its own.

    Orders whose venue id we never learnt are asked for first. When none of them can be found, a trade that the ended
    order cannot have made stays without an owner until one turns up; any other one is a late fill of it.
    """
    if order is None or trade is None or not (order.is_closed or trade.side is not order.side):
        return place
    nameless = _nameless(book, order.symbol)
    unasked = tuple(ask for ask in nameless if ask not in known)
    if unasked:
        return Place(finding=Finding(asks=unasked))
    return Place() if nameless and not _can_have_made(order, trade) else place


def _can_have_made(order: Order, trade: TradeReport) -> bool:
    """Return whether an ended order can have made the trade: on its side, and within its quantity."""
    return trade.side is order.side and order.traded_qty + trade.last_qty <= order.order_qty


def _nameless(book: Ledger, symbol: str) -> tuple[Ask, ...]:
    """Return how to ask for the open orders whose venue id we never learnt."""
    orders = [order for order in book.open_orders() if order.symbol == symbol and not order.venue_order_id]
    return tuple(Ask(VENUE, order.cl_ord_id) for order in orders)


def _stored(book: Ledger, any_id: str, known: Known) -> Place | None:
    """Look for an order that left memory, by the id it was sent with, then by any other it had."""
    place = _stored_as(any_id, known)
    if place is not None:
        return place
    ask = Ask(ORDER_IDS, f"{book.account}/{any_id}")
    if ask not in known:
        return Place(finding=Finding(asks=(ask,)))
    row = known[ask]
    if row is None:
        return None
    held = book.order(named_order(row))
    return Place(held) if held is not None else _stored_as(named_order(row), known)


def _stored_as(cl_ord_id: str, known: Known) -> Place | None:
    ask = Ask(ORDERS, cl_ord_id)
    if ask not in known:
        return Place(finding=Finding(asks=(ask,)))
    row = known[ask]
    return _revive(row) if row is not None else None


def _revive(row: bytes) -> Place:
    order = revived_order(row)
    return Place(order, (f.OrderRevived(record=msgspec.Raw(msgspec.json.encode(order))),))


def _adopt(cl_ord_id: str, report: OrderReport | None, known: Known) -> Place:
    if report is None:
        ask = Ask(VENUE, cl_ord_id)
        return Place() if ask in known else Place(finding=Finding(asks=(ask,)))
    order = evolve.found(report, key=cl_ord_id, foreign=False)
    text = "it carries our prefix and is not in this journal"
    flag = f.OrderFlagged(cl_ord_id=cl_ord_id, code=ADOPTED, text=text)
    return Place(order, (f.OrderAdopted(report=report), flag))


def _may_own(book: Ledger, symbol: str, known: Known) -> tuple[Ask, ...]:
    """A trade that names only the venue's id may belong to an order whose venue id we never learnt: ask for it."""
    return tuple(ask for ask in _nameless(book, symbol) if ask not in known)


def _foreign(report: OrderReport | None) -> Place:
    """A foreign order matters while it is open or when it traded."""
    if report is None:
        return Place()
    order = evolve.found(report, key=evolve.foreign_key(report), foreign=True)
    if order.is_closed and report.cum_qty == ZERO and not report.trades:
        return Place()
    return Place(order, (f.ForeignOrderSeen(report=report),))
