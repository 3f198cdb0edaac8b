"""The story of an order: one sentence for each kind of fact that can be about it, and where it stands.

Pure: a fact and the order before and after it go in, words come out. `trading/explain.py` finds the facts.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from trading_orchestrator.brokers.port import NewOrder, OrderReport, TradeReport
from trading_orchestrator.kernel.money import plain
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.orders.answers import LEFT_OPEN
from trading_orchestrator.trading.orders.life import At
from trading_orchestrator.trading.orders.order import Order

SOURCES = {"answer": "answer", "stream": "account stream", "query": "query", "open_orders": "open orders"}
OURS = "desk"
_ADOPTED_FROM = {
    "answer": "from an answer that came late",
    "stream": "from the account stream",
    "query": "by asking the venue for it",
    "open_orders": "from the venue's list of open orders",
}
_NOT_SENT = "NotOurs: not sent: "
_QUERY = "order query: "


class Moment(NamedTuple):
    """The order right before and right after a fact; None while it does not exist."""

    before: Order | None
    after: Order | None

    @property
    def was_in_doubt(self) -> bool:
        return self.before is not None and self.before.lack is not None


Sentence = Callable[[Any, Moment], str]


def _intended(body: f.OrderIntended, at: Moment) -> str:
    again = f", generation {body.generation}" if body.generation else ""
    again += f", in place of order {body.replaces}" if body.replaces else ""
    return (
        f"intended by strategy {body.strategy}: {_asked(body.order)}{again}; "
        f"{plain(body.reserved_notional)} {_quote_asset(body.order.symbol)} reserved"
    )


def _denied(body: f.OrderDenied, at: Moment) -> str:
    return f"denied by our own risk ({body.code}: {body.text}): {_asked(body.order)}; nothing was sent"


def _accepted(body: f.OrderAccepted, at: Moment) -> str:
    report = body.report
    if at.was_in_doubt:
        how = _ADOPTED_FROM.get(report.source, f"from {report.source}")
        return f"adopted {how}: the venue has it as {_venue_id(report)}, {_venue_view(report)}"
    if at.before is not None and at.before.accepted:
        return f"confirmed: {_venue_view(report)}"
    return f"accepted as {_venue_id(report)}, {_venue_view(report)}"


def _refused(body: f.OrderRefused, at: Moment) -> str:
    return f"refused by the venue before matching ({body.venue_code}: {body.text})"


def _doubted(body: f.OrderDoubted, at: Moment) -> str:
    if body.reason.startswith(_NOT_SENT):
        return (
            f"perhaps not sent ({body.reason.removeprefix(_NOT_SENT)}): UNKNOWN until proved; exposure stays reserved"
        )
    if at.before is not None and at.before.accepted:
        return f"in doubt ({body.reason}): UNKNOWN, not closed; exposure stays reserved"
    within = f" within {(body.at_ns - at.before.created_ns) / 1e9:.1f} s" if at.before is not None else ""
    meant = "UNKNOWN, not rejected, never resent; exposure stays reserved"
    return f"sent; no answer to trust{within} ({body.reason}): {meant}"


def _ended(body: f.OrderEnded, at: Moment) -> str:
    why = f" ({body.report.text})" if body.report.text else ""
    return (
        f"{body.report.status.value.replace('_', ' ')} at the venue, {plain(body.report.cum_qty)} traded by then{why}"
    )


def _reopened(body: f.OrderReopened, at: Moment) -> str:
    was = at.before.status.value if at.before is not None else "ended"
    return f"alive at the venue though we held it {was}: {_venue_view(body.report)}; what is left is reserved again"


def _not_found(body: f.NotFoundCounted, at: Moment) -> str:
    times = "once" if body.count == 1 else f"{body.count} times"
    return f"asked for, and the venue does not know it ({times} so far, {body.after_s:g} s after it was last sent)"


def _abandoned(body: f.OrderAbandoned, at: Moment) -> str:
    if body.request_pos:
        return f"written off by a named person who looked at the venue: {'; '.join(body.proof)}"
    if at.after is not None and at.after.cum_qty:
        return f"proved to be gone with {plain(at.after.cum_qty)} traded; the rest is released"
    return "proved that the venue never accepted it and no longer can: abandoned, its exposure is released"


def _quarantined(body: f.OrderQuarantined, at: Moment) -> str:
    return f"quarantined ({body.reason}): exposure stays reserved, the symbol is blocked, a human is paged"


def _adopted(body: f.OrderAdopted, at: Moment) -> str:
    return f"found at the venue with our prefix and not in this journal: {_reported(body.report)}; ours from here on"


def _restated(body: f.OrderRestated, at: Moment) -> str:
    return f"changed by the venue: now {_reported(body.report)}"


def _flagged(body: f.OrderFlagged, at: Moment) -> str:
    return f"flagged for the operator ({body.code}): {body.text}"


def _revived(body: f.OrderRevived, at: Moment) -> str:
    return "taken back into memory: evidence came after its end"


def _cancel_intended(body: f.CancelIntended, at: Moment) -> str:
    why = f" ({body.reason})" if body.reason else ""
    return f"cancel asked for{why}"


def _cancel_refused(body: f.CancelRefused, at: Moment) -> str:
    return f"cancel refused ({body.venue_code}: {body.text}): order and trades are asked for"


def _cancel_doubted(body: f.CancelDoubted, at: Moment) -> str:
    if body.reason.startswith(LEFT_OPEN):
        return f"cancel answered, and {body.reason}: it is asked for, and the cancel again, until it is closed"
    if body.reason.startswith(_NOT_SENT):
        return f"cancel held back ({body.reason.removeprefix(_NOT_SENT)}): the order is asked for first"
    return f"cancel sent, and no answer to trust ({body.reason}): it may or may not have worked, the order is asked for"


def _emergency_cancel(body: f.EmergencyCancelSent, at: Moment) -> str:
    late = f" {(body.at_ns - body.sent_ns) / 1e9:.1f} s before" if body.at_ns > body.sent_ns else ""
    return f"cancel sent in an emergency{late} by node {body.node}: {body.reason}; the order is asked for"


def _acknowledged(body: f.RequestAcknowledged, at: Moment) -> str:
    return "the venue has the request and has not decided it"


def _replace_intended(body: f.ReplaceIntended, at: Moment) -> str:
    why = f" ({body.reason})" if body.reason else ""
    return f"replace asked for{why}: {plain(body.order_qty)}{_at_px(body.px)}, as {body.request_id}"


def _replace_accepted(body: f.ReplaceAccepted, at: Moment) -> str:
    return f"replaced: now {_reported(body.report)}"


def _replace_refused(body: f.ReplaceRefused, at: Moment) -> str:
    return f"replace refused ({body.venue_code}: {body.text}): the old terms stay"


def _replace_doubted(body: f.ReplaceDoubted, at: Moment) -> str:
    return f"replace sent, and no answer to trust ({body.reason}): the larger quantity stays reserved"


def _replacement_intended(body: f.ReplacementIntended, at: Moment) -> str:
    why = f" ({body.reason})" if body.reason else ""
    terms = f"{plain(body.order_qty)}{_at_px(body.px)}"
    return f"its strategy wants it on other terms{why}: {terms}; once the cancel is proved, what remains is intended"


def _replacement_dropped(body: f.ReplacementDropped, at: Moment) -> str:
    return f"no order takes its place: {body.reason}"


def _hole_seen(body: f.HoleSeen, at: Moment) -> str:
    ours = at.before.cum_qty if at.before is not None else Decimal(0)
    return f"the venue counts {plain(body.report.cum_qty)} traded and we booked {plain(ours)}: trades are fetched"


def _trade_booked(body: f.TradeBooked, at: Moment) -> str:
    owner = "" if body.cl_ord_id else "; booked without its order, which the venue did not name"
    return f"trade {body.trade.trade_id}: {_traded(body.trade, at)}{owner}"


def _trade_attributed(body: f.TradeAttributed, at: Moment) -> str:
    if body.in_opening:
        return f"trade {body.trade.trade_id}, in the balances of the account's opening: {_traded(body.trade, at)}"
    return f"trade {body.trade.trade_id}, booked before, is this order's: {_traded(body.trade, at)}"


def _trade_inferred(body: f.TradeInferred, at: Moment) -> str:
    return (
        f"synthetic fill of {plain(body.trade.last_qty)}{_at_px(body.trade.last_px)} booked for what the venue counts "
        f"({plain(body.cum_from)} to {plain(body.cum_to)}) and shows no trade for; real trades will replace it"
    )


def _trade_busted(body: f.TradeBusted, at: Moment) -> str:
    qty, why = plain(body.trade.last_qty), _why(body)
    return f"trade {body.trade.trade_id} of {qty} taken back by the venue{why}"


def _why(body: f.TradeBusted | f.TradeCorrected) -> str:
    said = ": ".join(each for each in (body.by, body.reason) if each)
    return f" ({said})" if said else ""


def _trade_corrected(body: f.TradeCorrected, at: Moment) -> str:
    before, after = body.before, body.after
    return (
        f"trade {after.trade_id} corrected by the venue: from {plain(before.last_qty)}{_at_px(before.last_px)} "
        f"to {plain(after.last_qty)}{_at_px(after.last_px)}{_why(body)}"
    )


def _trade_conflicted(body: f.TradeConflicted, at: Moment) -> str:
    told = body.reported
    return (
        f"trade {told.trade_id} came back as {plain(told.last_qty)}{_at_px(told.last_px)} and is booked as "
        f"{plain(body.booked.last_qty)}{_at_px(body.booked.last_px)}: nothing overwritten, an operator must look"
    )


def _foreign_seen(body: f.ForeignOrderSeen, at: Moment) -> str:
    return f"seen on the account and not ours: {_reported(body.report)}; its exposure counts, we do not touch it"


def _foreign_gone(body: f.ForeignOrderGone, at: Moment) -> str:
    who = f"{body.by}: " if body.by else ""
    return f"gone from the venue ({who}{body.reason}): nothing is reserved for it until it shows again"


SENTENCES: dict[type[f.Body], Sentence] = {
    f.OrderIntended: _intended,
    f.OrderDenied: _denied,
    f.OrderAccepted: _accepted,
    f.OrderRefused: _refused,
    f.OrderDoubted: _doubted,
    f.OrderEnded: _ended,
    f.OrderReopened: _reopened,
    f.NotFoundCounted: _not_found,
    f.OrderAbandoned: _abandoned,
    f.OrderQuarantined: _quarantined,
    f.OrderAdopted: _adopted,
    f.OrderRestated: _restated,
    f.OrderFlagged: _flagged,
    f.OrderRevived: _revived,
    f.CancelIntended: _cancel_intended,
    f.CancelRefused: _cancel_refused,
    f.CancelDoubted: _cancel_doubted,
    f.EmergencyCancelSent: _emergency_cancel,
    f.RequestAcknowledged: _acknowledged,
    f.ReplaceIntended: _replace_intended,
    f.ReplaceAccepted: _replace_accepted,
    f.ReplaceRefused: _replace_refused,
    f.ReplaceDoubted: _replace_doubted,
    f.ReplacementIntended: _replacement_intended,
    f.ReplacementDropped: _replacement_dropped,
    f.HoleSeen: _hole_seen,
    f.TradeBooked: _trade_booked,
    f.TradeAttributed: _trade_attributed,
    f.TradeInferred: _trade_inferred,
    f.TradeBusted: _trade_busted,
    f.TradeCorrected: _trade_corrected,
    f.TradeConflicted: _trade_conflicted,
    f.ForeignOrderSeen: _foreign_seen,
    f.ForeignOrderGone: _foreign_gone,
}

STANDS = {
    At.PENDING_NEW: "It is intended and not answered yet: it may be on its way to the venue.",
    At.NEW: "It works at the venue; nothing has traded.",
    At.PARTIALLY_FILLED: "It works at the venue; {cum} of {qty} traded at {avg}, {leaves} left.",
    At.FILLED: "It is filled: {cum} at {avg}.",
    At.CANCELED: "It is canceled; {cum} of {qty} traded.",
    At.EXPIRED: "It has expired; {cum} of {qty} traded.",
    At.REJECTED: "It was rejected ({text}); {cum} of {qty} traded.",
    At.UNKNOWN: "It is unknown whether the venue has it: {risk} stays reserved and the venue is asked until it tells.",
    At.QUARANTINED: "It is quarantined: {risk} stays reserved until a human decides.",
    At.ABANDONED: "It never reached the venue's book: proved, and nothing is reserved for it.",
}


def sentence(body: f.Body, at: Moment) -> str:
    """Return what this fact says of the order.

    Raises:
        KeyError: no order is in a fact of this kind.
    """
    return SENTENCES[type(body)](body, at)


def details(body: f.Body) -> tuple[str, ...]:
    """Return what a fact was decided on: the questions and answers of a proof, one a line."""
    if not isinstance(body, f.OrderAbandoned):
        return ()
    asked = [step for step in body.proof if step.startswith(_QUERY)]
    numbers = {step: number for number, step in enumerate(asked, 1)}
    return tuple(
        f"asked: {step.removeprefix(_QUERY)} ({numbers[step]} of {len(asked)})" if step in numbers else step
        for step in body.proof
    )


def source(body: f.Body) -> str:
    """Return who says so: the desk itself, or which of the venue's voices."""
    report = getattr(body, "report", None)
    if isinstance(report, OrderReport):
        return _source(report)
    if isinstance(body, f.TradeBooked):
        return SOURCES.get(body.source, body.source)
    if isinstance(body, f.OrderRefused | f.CancelRefused):
        return SOURCES.get(body.source or "answer", body.source)
    if isinstance(body, f.ReplaceRefused):
        return SOURCES["answer"]
    if isinstance(body, f.TradeBusted | f.TradeCorrected):
        return "venue"
    return "risk" if isinstance(body, f.OrderDenied) else OURS


def standing(order: Order) -> str:
    """Return one sentence on where the order stands, with what is still open about it."""
    said = STANDS[order.status].format(
        cum=plain(order.cum_qty),
        qty=plain(order.effective_qty),
        avg=plain(round(order.avg_px, 8)) if order.avg_px is not None else "–",
        leaves=plain(order.leaves_qty),
        risk=plain(order.at_risk_qty),
        text=order.text or "no reason given",
    )
    if order.lack is not None and not order.is_closed and order.not_founds:
        said += f" So far the venue was asked {order.not_founds} times and did not know it."
    if order.hole_qty:
        said += f" The venue counts {plain(order.hole_qty)} more than we have trades for."
    open_requests = [request.kind.value for request in order.requests if request.is_open]
    if open_requests and not order.is_closed:
        said += f" A {open_requests[-1]} of it is not decided."
    return said


def _asked(order: NewOrder) -> str:
    terms = f"{order.ord_type.value.replace('_', ' ')}, {order.time_in_force.value}"
    return f"{order.side.value} {plain(order.order_qty)} {order.symbol}{_at_px(order.px)} ({terms})"


def _reported(report: OrderReport) -> str:
    return (
        f"{report.side.value} {plain(report.order_qty)} {report.symbol}{_at_px(report.px)} as {_venue_id(report)}, "
        f"{_venue_view(report)}"
    )


def _venue_view(report: OrderReport) -> str:
    if not report.cum_qty:
        return _word(report)
    return f"{_word(report)}, {plain(report.cum_qty)} of {plain(report.order_qty)} traded"


def _word(report: OrderReport) -> str:
    return report.status.value.replace("_", " ")


def _venue_id(report: OrderReport) -> str:
    return f"venue order {report.venue_order_id}" if report.venue_order_id else "an order without a venue id"


def _traded(trade: TradeReport, at: Moment) -> str:
    of = f" of {plain(at.after.effective_qty)}" if at.after is not None else ""
    fee = f", fee {plain(trade.fee)} {trade.fee_asset}" if trade.fee_asset else ""
    total = (
        f" ({plain(at.after.cum_qty)} in all)" if at.after is not None and at.after.cum_qty != trade.last_qty else ""
    )
    return f"{plain(trade.last_qty)}{of}{_at_px(trade.last_px)}{fee}{total}"


def _source(report: OrderReport) -> str:
    return SOURCES.get(report.source, report.source)


def _at_px(px: Decimal | None) -> str:
    return f" at {plain(px)}" if px is not None else " at the market"


def _quote_asset(symbol: str) -> str:
    return symbol.rpartition("/")[2].partition(":")[0]
