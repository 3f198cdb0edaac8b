"""From what a venue reports to the facts it adds: pure and idempotent; nothing new gives no fact."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType

from trading_orchestrator.brokers.port import OrderReport, OrdType, TradeReport, VenueStatus
from trading_orchestrator.kernel.money import ZERO, plain
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.orders import evolve
from trading_orchestrator.trading.orders import finding as found
from trading_orchestrator.trading.orders.finding import NOTHING, Ask, Finding, Hole, Known
from trading_orchestrator.trading.orders.ledger import Ledger
from trading_orchestrator.trading.orders.life import ORDER_LIFE, At
from trading_orchestrator.trading.orders.locate import locate
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.orders.requests import Request, RequestAt, RequestKind, RequestOn
from trading_orchestrator.trading.orders.stored import TRADES, stored_trade

NONE_KNOWN: Known = MappingProxyType({})
_STREAM = "stream"
_PENDING = {VenueStatus.PENDING_CANCEL: RequestKind.CANCEL, VenueStatus.PENDING_REPLACE: RequestKind.REPLACE}
_WORKING = frozenset({VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED})


class Draft:
    """An order as it will be once the facts drafted so far are recorded."""

    def __init__(self, order: Order, facts: list[f.Body]) -> None:
        self.order = order
        self.facts = facts

    def add(self, body: f.Body, after: Order) -> None:
        self.facts.append(body)
        self.order = after

    def flag(self, code: str, text: str) -> None:
        self.facts.append(f.OrderFlagged(cl_ord_id=self.order.cl_ord_id, code=code, text=text))

    def finding(self) -> Finding:
        order = self.order
        hole = None
        if order.hole_qty:
            hole = Hole(order.cl_ord_id, order.symbol, order.venue_order_id, order.hole_qty)
        return Finding(facts=tuple(self.facts), hole=hole)


def of_trade(book: Ledger, trade: TradeReport, *, source: str, known: Known = NONE_KNOWN) -> Finding:
    """Return what one execution adds.

    Args:
        source: where it came from: "stream", "poll" or "query"; stored with the trade.
        known: what became of the asks of an earlier try.
    """
    heard = _judge(book, trade, known)
    if isinstance(heard, Finding):
        return heard
    place = locate(
        book,
        symbol=trade.symbol,
        cl_ord_id=trade.cl_ord_id,
        venue_order_id=trade.venue_order_id,
        known=known,
        trade=trade,
    )
    if place.finding is not None:
        return place.finding
    if place.order is None:
        is_news = heard is Heard.NEVER and not book.is_in_opening(trade)
        return _unattributed(trade, source) if is_news else NOTHING
    draft = Draft(place.order, list(place.facts))
    _draft_trade(draft, book, trade, source, heard)
    return draft.finding()


def of_report(book: Ledger, report: OrderReport, *, known: Known = NONE_KNOWN) -> Finding:
    """Return what the venue's word on one order adds: its trades first, then the order itself.

    Args:
        known: what became of the asks of an earlier try.
    """
    place = locate(
        book,
        symbol=report.symbol,
        cl_ord_id=report.cl_ord_id,
        venue_order_id=report.venue_order_id,
        known=known,
        report=report,
    )
    if place.finding is not None:
        return place.finding
    if place.order is None:
        return NOTHING
    draft = Draft(place.order, list(place.facts))
    for trade in report.trades:
        heard = _judge(book, trade, known)
        if isinstance(heard, Heard):
            _draft_trade(draft, book, trade, report.source, heard)
        elif heard.asks:
            return heard
        else:
            draft.facts += heard.facts
    _draft_report(draft, report)
    return draft.finding()


def of_reopening(book: Ledger, report: OrderReport) -> Finding:
    """Return what it adds that the venue works an order whose end it told us.

    Args:
        report: its answer when asked for this order, given long after the end; its list of open orders said the same.
    """
    order = book.find_order(symbol=report.symbol, cl_ord_id=report.cl_ord_id, venue_order_id=report.venue_order_id)
    if order is None or not is_ended_yet_works(order, report):
        return NOTHING
    draft = Draft(order, [])
    draft.add(f.OrderReopened(cl_ord_id=order.cl_ord_id, report=report), evolve.reopened(order, report))
    if not order.foreign:
        draft.flag(found.RESURRECTED, f"we held it {order.status.value}, and the venue works it")
    _draft_hole(draft, report)
    return draft.finding()


def is_ended_yet_works(order: Order, report: OrderReport) -> bool:
    """Return whether the venue says that it works what we hold as ended, unfilled, under the same id."""
    same = report.venue_order_id in ("", order.venue_order_id)
    return (
        same
        and order.ended is not None
        and order.is_closed
        and order.status is not At.FILLED
        and report.status in _WORKING
    )


class Heard(Enum):
    """What is still to be done for a trade: all of it, or only to find its order."""

    NEVER = "never"
    WITHOUT_ORDER = "without_order"


def _judge(book: Ledger, trade: TradeReport, known: Known) -> Heard | Finding:
    """Return what is to be done; or the finding: nothing, a conflict, or the row to look up."""
    remembered = book.known_trade(trade)
    if remembered is not None and (remembered.busted or remembered.tells(trade)):
        return NOTHING if remembered.busted or remembered.owned else Heard.WITHOUT_ORDER
    if remembered is None and book.is_booked(trade) is False:
        return Heard.NEVER
    ask = Ask(TRADES, book.trade_key(trade))
    if ask not in known:
        return Finding(asks=(ask,))
    row = known[ask]
    if row is None:
        return Heard.NEVER
    stored = stored_trade(row)
    booked = stored.record
    if (booked.last_qty, booked.last_px) != (trade.last_qty, trade.last_px):
        return Finding(facts=(f.TradeConflicted(booked=booked, reported=trade),))
    return NOTHING if stored.is_busted or stored.cl_ord_id else Heard.WITHOUT_ORDER


def _unattributed(trade: TradeReport, source: str) -> Finding:
    """It is ours all the same: the account paid for it. An operator hears, and its order may yet be found."""
    text = f"trade {trade.trade_id} on {trade.symbol} belongs to no order that we know"
    flag = f.OrderFlagged(cl_ord_id=trade.cl_ord_id, code=found.UNATTRIBUTED, text=text)
    return Finding(facts=(f.TradeBooked(trade=trade, source=source), flag))


def _draft_trade(draft: Draft, book: Ledger, trade: TradeReport, source: str, heard: Heard) -> None:
    before = draft.order
    # No order that this journal intended is older than its opening, whatever a venue's clock says.
    in_opening = heard is Heard.NEVER and not before.intent_id and book.is_in_opening(trade)
    after = evolve.traded(before, trade)
    cl_ord_id, displaced_qty = before.cl_ord_id, before.told_early_qty - after.told_early_qty or ZERO
    body: f.Body = f.TradeBooked(trade=trade, source=source, cl_ord_id=cl_ord_id, displaced_qty=displaced_qty)
    if heard is Heard.WITHOUT_ORDER or in_opening:
        body = f.TradeAttributed(cl_ord_id=cl_ord_id, trade=trade, in_opening=in_opening, displaced_qty=displaced_qty)
    draft.add(body, after)
    if before.lack is At.ABANDONED or (before.refused and not before.accepted):
        draft.flag(found.RESURRECTED, f"we held it {before.status.value}, and it traded {plain(trade.last_qty)}")
    elif before.ended is not None and before.hole_qty + before.inferred_qty < trade.last_qty:
        draft.flag(found.LATE_FILL, f"it was {before.status.value}, and {plain(trade.last_qty)} more traded")
    if draft.order.overfilled_qty > before.overfilled_qty:
        text = f"order {before.cl_ord_id} traded {plain(draft.order.overfilled_qty)} more than it asked for"
        draft.flag(found.OVERFILLED, text)
        draft.facts.append(f.SymbolBlocked(symbol=before.symbol, code=found.OVERFILLED, text=text))


def _draft_report(draft: Draft, report: OrderReport) -> None:
    if _speaks_of_a_former_id(draft.order, report):
        return
    if report.status in _PENDING:
        _draft_pending(draft, report)
    request = _answered_replace(draft.order, report)
    if request is not None and _is_refusal(draft.order, report):
        _draft_replace_refused(draft, request, report)
        return
    if request is not None:
        was = draft.order.status
        body = f.ReplaceAccepted(cl_ord_id=draft.order.cl_ord_id, request_id=request.request_id, report=report)
        draft.add(body, evolve.replaced(draft.order, request.request_id, report))
        if was in ORDER_LIFE.terminal and draft.order.status not in ORDER_LIFE.terminal:
            draft.flag(found.RESURRECTED, f"we held it {was.value}, and the venue replaced it")
    end = evolve.end_of(draft.order, report)
    if end is not None:
        _draft_end(draft, report, end)
    else:
        _draft_life(draft, report)
    _draft_hole(draft, report)


def _speaks_of_a_former_id(order: Order, report: OrderReport) -> bool:
    """A venue that replaces by cancel-and-new reports the end of the old id, perhaps after the new one lives."""
    if report.venue_order_id in ("", order.venue_order_id) or not order.venue_order_id:
        return False
    return report.venue_order_id in order.former_venue_ids or report.cl_ord_id in order.borne_ids[:-1]


def _draft_pending(draft: Draft, report: OrderReport) -> None:
    """The venue names the request by its own id, or it means every one of this kind that it has not told of."""
    named = draft.order.request(report.cl_ord_id)
    for request in (named,) if named is not None else draft.order.requests:
        if request.kind is _PENDING[report.status] and request.at in (RequestAt.INTENDED, RequestAt.DOUBTED):
            body = f.RequestAcknowledged(cl_ord_id=draft.order.cl_ord_id, request_id=request.request_id, report=report)
            draft.add(body, evolve.acknowledged(draft.order, request.request_id, report))


def _answered_replace(order: Order, report: OrderReport) -> Request | None:
    """Return the replace that this report decides: it bears its id, or shows its terms in force."""
    if report.status in _PENDING:
        return None
    for request in order.requests:
        if request.kind is not RequestKind.REPLACE or request.at is RequestAt.ACCEPTED:
            continue
        if report.cl_ord_id == request.request_id:
            return request
        shows_terms = report.order_qty == request.order_qty and request.px in (None, report.px)
        if request.is_open and shows_terms and _has_new_terms(order, report):
            return request
    return None


def _is_refusal(order: Order, report: OrderReport) -> bool:
    """A rejected replace leaves the old order at the venue; one with a venue id of its own got there, and ended."""
    return report.status is VenueStatus.REJECTED and report.venue_order_id in ("", order.venue_order_id)


def _draft_replace_refused(draft: Draft, request: Request, report: OrderReport) -> None:
    """A rejected replace leaves the order as it was."""
    if request.is_open:
        body = f.ReplaceRefused(
            cl_ord_id=draft.order.cl_ord_id, request_id=request.request_id, venue_code="", text=report.text
        )
        draft.add(body, evolve.request_moved(draft.order, request.request_id, RequestOn.REFUSED))


def _draft_end(draft: Draft, report: OrderReport, end: At) -> None:
    if evolve.is_better_end(draft.order, end) or _settles_doubt(draft.order, report):
        was = draft.order
        draft.add(f.OrderEnded(report=report), evolve.ended(was, report))
        if was.lack is At.ABANDONED:
            draft.flag(found.RESURRECTED, f"we held it abandoned, and the venue says {report.status.value}")


def _draft_life(draft: Draft, report: OrderReport) -> None:
    was = draft.order
    if not was.accepted or _settles_doubt(was, report):
        draft.add(f.OrderAccepted(report=report), evolve.accepted(was, report))
        if was.is_closed:
            draft.flag(found.RESURRECTED, f"we held it {was.status.value}, and the venue says {report.status.value}")
    if draft.order.ended is None and report.at_ns > draft.order.told_ns and _is_restated(draft.order, report):
        body = f.OrderRestated(cl_ord_id=draft.order.cl_ord_id, report=report)
        draft.add(body, evolve.restated(draft.order, report))


def _settles_doubt(order: Order, report: OrderReport) -> bool:
    """A frame that was under way before we began to doubt settles nothing, if we had heard of the order before."""
    if order.lack is None:
        return False
    return not order.accepted or report.source != _STREAM or report.at_ns > order.lack_ns


def _is_restated(order: Order, report: OrderReport) -> bool:
    if report.status in _PENDING:
        return False
    if report.cl_ord_id not in ("", order.borne_ids[-1]) and report.venue_order_id != order.venue_order_id:
        return False
    if report.status in evolve.CONDITIONS:
        return report.status is not order.condition or _has_new_terms(order, report)
    reinstated = order.condition is not None and report.status in _WORKING
    renumbered = report.venue_order_id not in ("", order.venue_order_id)
    return reinstated or renumbered or _has_new_terms(order, report)


def _has_new_terms(order: Order, report: OrderReport) -> bool:
    has_px = report.px is not None and order.ord_type is not OrdType.MARKET
    return report.order_qty not in (ZERO, order.order_qty) or (has_px and report.px != order.px)


def _draft_hole(draft: Draft, report: OrderReport) -> None:
    heard = evolve.accepted(draft.order, report)
    if heard.hole_qty > draft.order.hole_qty:
        draft.add(f.HoleSeen(cl_ord_id=draft.order.cl_ord_id, report=report), heard)
