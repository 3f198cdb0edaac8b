"""How one order record follows from another and one piece of evidence; pure, no evidence is ever lost."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from trading_orchestrator.brokers.port import NewOrder, OrderReport, TimeInForce, TradeReport, VenueStatus
from trading_orchestrator.errors import Broken
from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.trading.orders.life import ORDER_LIFE, At, On
from trading_orchestrator.trading.orders.order import Inferred, Order
from trading_orchestrator.trading.orders.requests import Request, RequestKind, RequestOn

CONDITIONS = frozenset({VenueStatus.DONE_FOR_DAY, VenueStatus.SUSPENDED, VenueStatus.STOPPED, VenueStatus.TRIGGERED})
"""What a live order can be besides new or part filled; shown at the edge, no state of its life."""

_ENDS = {VenueStatus.CANCELED: At.CANCELED, VenueStatus.EXPIRED: At.EXPIRED, VenueStatus.REJECTED: At.REJECTED}
_END_RANK = {None: 0, At.REJECTED: 1, At.EXPIRED: 2, At.CANCELED: 3}
_REPLACES_REMEMBERED = 16
"""Decided replaces kept, newest first to go last: late frames may bear any id the order once had."""


def intended(
    order: NewOrder, *, intent_id: str, generation: int, strategy: str, reserved_notional: Decimal, replaces: str = ""
) -> Order:
    """Return the record of an order that we are about to send."""
    return Order(
        cl_ord_id=order.cl_ord_id,
        symbol=order.symbol,
        side=order.side,
        ord_type=order.ord_type,
        order_qty=order.order_qty,
        most_qty=order.order_qty,
        px=order.px,
        time_in_force=order.time_in_force,
        intent_id=intent_id,
        generation=generation,
        strategy=strategy,
        reserved_notional=reserved_notional,
        replaces=replaces,
    )


def found(report: OrderReport, *, key: str, foreign: bool) -> Order:
    """Return the record of an order that this journal never sent, as the venue reports it."""
    bare = Order(
        cl_ord_id=key,
        symbol=report.symbol,
        side=report.side,
        ord_type=report.ord_type,
        order_qty=report.order_qty,
        most_qty=report.order_qty,
        px=report.px,
        foreign=foreign,
    )
    return ended(bare, report) if end_of(bare, report) else accepted(bare, report)


def foreign_key(report: OrderReport) -> str:
    """Return what an order that is not ours is known by; not every human names his orders."""
    return report.cl_ord_id or f"{report.symbol}#{report.venue_order_id}"


def is_nameless(order: Order) -> bool:
    """Return whether it has no client id, so that the venue cannot be asked for it."""
    return order.foreign and order.cl_ord_id == f"{order.symbol}#{order.venue_order_id}"


def end_of(order: Order, report: OrderReport) -> At | None:
    """Return the end that this report announces for the order, or None."""
    if report.status is VenueStatus.DONE_FOR_DAY:
        return At.EXPIRED if order.time_in_force is TimeInForce.DAY else None
    return _ENDS.get(report.status)


def is_better_end(order: Order, end: At) -> bool:
    """Return whether this end outranks the one we know (CANCELED > EXPIRED > REJECTED)."""
    return _END_RANK[end] > _END_RANK[order.ended]


def accepted(order: Order, report: OrderReport) -> Order:
    """The venue has it."""
    return _heard(order, report)


def ended(order: Order, report: OrderReport) -> Order:
    """The venue closed it. Open requests have nothing left to decide."""
    end = end_of(order, report)
    if end is None:
        raise Broken(f"expected a report of an end, was {report.status.value}", cl_ord_id=order.cl_ord_id)
    order = _heard(order, report)
    if is_better_end(order, end):
        order = replace(order, ended=end, ended_id=report.venue_order_id or order.venue_order_id)
    condition = VenueStatus.DONE_FOR_DAY if report.status is VenueStatus.DONE_FOR_DAY else None
    requests = tuple(r.on(RequestOn.ORDER_CLOSED) if r.is_open else r for r in order.requests)
    return replace(order, condition=condition, requests=_remembered(requests), text=report.text or order.text)


def reopened(order: Order, report: OrderReport) -> Order:
    """The venue took its end back."""
    return _heard(replace(order, ended=None, ended_id="", condition=None, reopened=True), report)


def refused(order: Order, text: str) -> Order:
    """The venue's definite no, or our own risk's."""
    return _sound(replace(order, refused=True, lack=None, text=text))


def doubted(order: Order, at_ns: int, reason: str) -> Order:
    """No trustworthy answer came."""
    ORDER_LIFE.step(order.status, On.DOUBTED)
    return replace(order, lack=At.UNKNOWN, lack_ns=at_ns, text=reason)


def not_found(order: Order, count: int) -> Order:
    """The venue did not know it, for so many times in a row."""
    return replace(order, not_founds=count)


def quarantined(order: Order, reason: str) -> Order:
    """Its doubt outlived the budget."""
    ORDER_LIFE.step(order.status, On.QUARANTINED)
    return replace(order, lack=At.QUARANTINED, text=reason)


def abandoned(order: Order) -> Order:
    """Proof R4 is complete. An order that traded was there: it is gone, with its fills kept."""
    ORDER_LIFE.step(order.status, On.PROVED_ABSENT)
    if order.cum_qty > ZERO:
        return replace(order, lack=None, ended=At.CANCELED, ended_id=order.venue_order_id)
    return replace(order, lack=At.ABANDONED)


def gone(order: Order) -> Order:
    """The venue neither lists it nor knows it; it was not ours, so nobody will tell its end."""
    return replace(order, lack=None, ended=order.ended or At.CANCELED, ended_id=order.venue_order_id)


def restated(order: Order, report: OrderReport) -> Order:
    """The venue changed terms or condition by itself."""
    order = _heard(_with_terms(order, report.order_qty, report.px, report.at_ns), report)
    if report.at_ns < order.told_ns:
        return order
    condition = report.status if report.status in CONDITIONS else None
    return _with_venue_id(replace(order, condition=condition, told_ns=report.at_ns), report.venue_order_id)


def traded(order: Order, trade: TradeReport) -> Order:
    """One trade, which takes the place of synthetic fills first and is itself proof that the venue had the order."""
    left = displace(order.inferred, trade.last_qty)
    order = replace(
        order,
        traded_qty=order.traded_qty + trade.last_qty,
        traded_quote=order.traded_quote + trade.last_qty * trade.last_px,
        inferred=left,
        accepted=True,
        lack=None,
        venue_order_id=order.venue_order_id or _own_venue_id(order, trade),
    )
    if order.condition is not None and order.ended is None and trade.at_ns > order.told_ns:
        order = replace(order, condition=None, told_ns=trade.at_ns)
    return order


def displace(parts: tuple[Inferred, ...], qty: Decimal) -> tuple[Inferred, ...]:
    """Return what is left of synthetic fills after real trades of `qty`: the oldest go first."""
    left: list[Inferred] = []
    for part in parts:
        taken = min(part.qty, qty)
        qty -= taken
        if part.qty > taken:
            left.append(replace(part, qty=part.qty - taken))
    return tuple(left)


def inferred(order: Order, trade: TradeReport, *, told: bool) -> Order:
    """A hole that outlived its grace."""
    part = Inferred(trade_id=trade.trade_id, qty=trade.last_qty, px=trade.last_px, at_ns=trade.at_ns, told=told)
    return replace(order, inferred=(*order.inferred, part), accepted=True, lack=None)


def busted(order: Order, trade: TradeReport, at_ns: int) -> Order:
    """The venue took a trade back. Its own sum falls too: older reports still count the trade."""
    return _sound(
        replace(
            order,
            traded_qty=order.traded_qty - trade.last_qty,
            traded_quote=order.traded_quote - trade.last_qty * trade.last_px,
            venue_cum=max(order.venue_cum - trade.last_qty, ZERO),
            busted_ns=max(order.busted_ns, at_ns),
        )
    )


def corrected(order: Order, before: TradeReport, after: TradeReport, at_ns: int) -> Order:
    """The venue changed a trade."""
    order = busted(order, before, at_ns)
    return replace(
        order,
        traded_qty=order.traded_qty + after.last_qty,
        traded_quote=order.traded_quote + after.last_qty * after.last_px,
    )


def asked(order: Order, request: Request) -> Order:
    """A cancel or replace is about to be sent."""
    if order.request(request.request_id) is not None:
        raise Broken(f"request {request.request_id} of order {order.cl_ord_id} was already made")
    return replace(order, requests=(*order.requests, request), request_count=order.request_count + 1)


def request_moved(order: Order, request_id: str, on: RequestOn) -> Order:
    """Something happened to one of its requests. A forgotten request is decided already: nothing changes."""
    if order.request(request_id) is None:
        return order
    moved = tuple(r.on(on) if r.request_id == request_id else r for r in order.requests)
    return replace(order, requests=_remembered(moved))


def acknowledged(order: Order, request_id: str, report: OrderReport) -> Order:
    """The venue has one of its requests and has not decided it."""
    return request_moved(accepted(order, report), request_id, RequestOn.ACKNOWLEDGED)


def replaced(order: Order, request_id: str, report: OrderReport) -> Order:
    """The venue put a replace in force. If it made a new order of it, the end of the old one ended nothing."""
    request = order.request(request_id)
    asked_qty = request.order_qty if request is not None else None
    order = request_moved(order, request_id, RequestOn.ACCEPTED)
    order = _with_terms(order, report.order_qty or asked_qty or order.order_qty, report.px, report.at_ns)
    order = _with_venue_id(order, report.venue_order_id)
    if order.ended is not None and order.ended_id != order.venue_order_id:
        order = replace(order, ended=None, ended_id="")
    return _heard(order, report)


def stamped(order: Order, at_ns: int) -> Order:
    """Return the record with its times: of creation, of this change, and since when a hole is open."""
    hole_ns = (order.hole_ns or at_ns) if order.hole_qty else 0
    return replace(order, created_ns=order.created_ns or at_ns, updated_ns=at_ns, hole_ns=hole_ns)


def _heard(order: Order, report: OrderReport) -> Order:
    """What every report of the venue says besides its point: it has the order, its id, its own sum."""
    counts = report.at_ns > order.busted_ns
    return _sound(
        replace(
            order,
            accepted=True,
            lack=None,
            venue_order_id=order.venue_order_id or _own_venue_id(order, report),
            venue_cum=max(order.venue_cum, report.cum_qty) if counts else order.venue_cum,
        )
    )


def _own_venue_id(order: Order, said: OrderReport | TradeReport) -> str:
    """The venue id of a replace that is not known to be in force yet is not the order's yet."""
    return said.venue_order_id if said.cl_ord_id in ("", order.borne_ids[-1]) else ""


def _with_terms(order: Order, order_qty: Decimal, px: Decimal | None, at_ns: int) -> Order:
    """Newer terms win whatever order they arrive in; the largest quantity is remembered either way."""
    order = replace(order, most_qty=max(order.most_qty, order_qty))
    if at_ns < order.told_ns or order_qty <= ZERO:
        return order
    return replace(order, order_qty=order_qty, px=px if px is not None else order.px, told_ns=at_ns)


def _with_venue_id(order: Order, venue_order_id: str) -> Order:
    if not venue_order_id or venue_order_id == order.venue_order_id or venue_order_id in order.former_venue_ids:
        return order
    former = (*order.former_venue_ids, order.venue_order_id) if order.venue_order_id else order.former_venue_ids
    return replace(order, venue_order_id=venue_order_id, former_venue_ids=former[-_REPLACES_REMEMBERED:])


def _remembered(requests: tuple[Request, ...]) -> tuple[Request, ...]:
    """Decided cancels are forgotten; decided replaces are kept for the ids that late frames may bear."""
    kept = [r for r in requests if r.is_open or r.kind is RequestKind.REPLACE]
    decided = [r for r in kept if not r.is_open]
    forgotten = set(map(id, decided[: max(len(decided) - _REPLACES_REMEMBERED, 0)]))
    return tuple(r for r in kept if id(r) not in forgotten)


def _sound(order: Order) -> Order:
    """Return the order if its evidence has a walk.

    Raises:
        NoSuchTransition: it has none; the caller recorded something impossible.
    """
    _ = order.status
    return order
