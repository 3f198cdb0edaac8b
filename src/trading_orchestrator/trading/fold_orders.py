"""How facts about orders and requests change a desk: one small function a kind."""

from __future__ import annotations

import msgspec

from trading_orchestrator.errors import Broken
from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.folded import Desk, Fold
from trading_orchestrator.trading.orders import evolve
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.orders.requests import Request, RequestKind, RequestOn
from trading_orchestrator.trading.state import RECENT_INTENTS, RECENT_INTENTS_NS, Replacement, State


class IntentTaken(Broken):
    """An intent has a live order already, or an order id exists: sending it again is forbidden (I1)."""

    code = "book.intent_taken"


def _order_intended(desk: Desk, body: f.OrderIntended, at_ns: int) -> None:
    live = desk.shelf.live_of_intent(body.intent_id)
    if live is not None or desk.shelf.get(body.order.cl_ord_id) is not None:
        raise IntentTaken(
            f"intent {body.intent_id} generation {body.generation} already has an order",
            intent_id=body.intent_id,
            cl_ord_id=body.order.cl_ord_id,
        )
    order = evolve.intended(
        body.order,
        intent_id=body.intent_id,
        generation=body.generation,
        strategy=body.strategy,
        reserved_notional=body.reserved_notional,
        replaces=body.replaces,
    )
    desk.keep(order, at_ns)
    desk.state.replacements.pop(body.replaces, None)
    _count_intent(desk.state, body.strategy, body.generation)
    desk.state.counts.orders += 1
    recent = [ns for ns in desk.state.intended_ns if abs(at_ns - ns) < RECENT_INTENTS_NS]
    desk.state.intended_ns = [*recent, at_ns][-RECENT_INTENTS:]


def _order_denied(desk: Desk, body: f.OrderDenied, at_ns: int) -> None:
    order = evolve.intended(
        body.order,
        intent_id=body.intent_id,
        generation=body.generation,
        strategy=body.strategy,
        reserved_notional=ZERO,
    )
    desk.keep(evolve.refused(order, f"{body.code}: {body.text}"), at_ns)
    _count_intent(desk.state, body.strategy, body.generation)
    desk.state.counts.denied += 1


def _count_intent(state: State, strategy: str, generation: int) -> None:
    if generation == 0:
        state.intents[strategy] = state.intents.get(strategy, 0) + 1


def _order_accepted(desk: Desk, body: f.OrderAccepted, at_ns: int) -> None:
    desk.keep(evolve.accepted(desk.of_report(body.report), body.report), at_ns)


def _order_refused(desk: Desk, body: f.OrderRefused, at_ns: int) -> None:
    desk.keep(evolve.refused(desk.shelf.need(body.cl_ord_id), f"{body.venue_code}: {body.text}"), at_ns)
    desk.state.counts.refused += 1


def _order_doubted(desk: Desk, body: f.OrderDoubted, at_ns: int) -> None:
    desk.keep(evolve.doubted(desk.shelf.need(body.cl_ord_id), at_ns, body.reason), at_ns)
    desk.state.counts.doubted += 1


def _order_ended(desk: Desk, body: f.OrderEnded, at_ns: int) -> None:
    desk.keep(evolve.ended(desk.of_report(body.report), body.report), at_ns)


def _order_reopened(desk: Desk, body: f.OrderReopened, at_ns: int) -> None:
    desk.keep(evolve.reopened(desk.shelf.need(body.cl_ord_id), body.report), at_ns)


def _not_found_counted(desk: Desk, body: f.NotFoundCounted, at_ns: int) -> None:
    desk.keep(evolve.not_found(desk.shelf.need(body.cl_ord_id), body.count), at_ns)


def _order_abandoned(desk: Desk, body: f.OrderAbandoned, at_ns: int) -> None:
    desk.keep(evolve.abandoned(desk.shelf.need(body.cl_ord_id)), at_ns)


def _order_quarantined(desk: Desk, body: f.OrderQuarantined, at_ns: int) -> None:
    desk.keep(evolve.quarantined(desk.shelf.need(body.cl_ord_id), body.reason), at_ns)
    desk.state.looked_at = [each for each in desk.state.looked_at if each != body.cl_ord_id]


def _order_adopted(desk: Desk, body: f.OrderAdopted, at_ns: int) -> None:
    desk.keep(evolve.found(body.report, key=body.report.cl_ord_id, foreign=False), at_ns)


def _foreign_order_seen(desk: Desk, body: f.ForeignOrderSeen, at_ns: int) -> None:
    report = body.report
    desk.keep(evolve.found(report, key=evolve.foreign_key(report), foreign=True), at_ns)


def _foreign_order_gone(desk: Desk, body: f.ForeignOrderGone, at_ns: int) -> None:
    desk.keep(evolve.gone(desk.shelf.need(body.cl_ord_id)), at_ns)


def _order_restated(desk: Desk, body: f.OrderRestated, at_ns: int) -> None:
    desk.keep(evolve.restated(desk.shelf.need(body.cl_ord_id), body.report), at_ns)


def _order_revived(desk: Desk, body: f.OrderRevived, at_ns: int) -> None:
    order = msgspec.json.decode(body.record, type=Order)
    if desk.shelf.get(order.cl_ord_id) is None:
        desk.shelf.put(order)


def _order_flagged(desk: Desk, body: f.OrderFlagged, at_ns: int) -> None:
    desk.state.counts.flagged += 1


def _cancel_intended(desk: Desk, body: f.CancelIntended, at_ns: int) -> None:
    request = Request(request_id=body.request_id, kind=RequestKind.CANCEL)
    desk.keep(evolve.asked(desk.shelf.need(body.cl_ord_id), request), at_ns)
    desk.ids[body.request_id] = body.cl_ord_id


def _emergency_cancel_sent(desk: Desk, body: f.EmergencyCancelSent, at_ns: int) -> None:
    """It may be told twice, and of an order that has left memory since: the order itself is asked for either way."""
    order = desk.shelf.get(body.cl_ord_id)
    if order is None or order.request(body.request_id) is not None:
        return
    asked = evolve.asked(order, Request(request_id=body.request_id, kind=RequestKind.CANCEL))
    desk.keep(evolve.request_moved(asked, body.request_id, RequestOn.DOUBTED), at_ns)
    desk.ids[body.request_id] = body.cl_ord_id


def _replace_intended(desk: Desk, body: f.ReplaceIntended, at_ns: int) -> None:
    request = Request(request_id=body.request_id, kind=RequestKind.REPLACE, order_qty=body.order_qty, px=body.px)
    desk.keep(evolve.asked(desk.shelf.need(body.cl_ord_id), request), at_ns)
    desk.ids[body.request_id] = body.cl_ord_id


def _replacement_intended(desk: Desk, body: f.ReplacementIntended, at_ns: int) -> None:
    desk.state.replacements[body.cl_ord_id] = Replacement(body.order_qty, body.px)


def _replacement_dropped(desk: Desk, body: f.ReplacementDropped, at_ns: int) -> None:
    desk.state.replacements.pop(body.cl_ord_id, None)


def _request_acknowledged(desk: Desk, body: f.RequestAcknowledged, at_ns: int) -> None:
    order = desk.shelf.need(body.cl_ord_id)
    desk.keep(evolve.acknowledged(order, body.request_id, body.report), at_ns)


def _replace_accepted(desk: Desk, body: f.ReplaceAccepted, at_ns: int) -> None:
    desk.keep(evolve.replaced(desk.shelf.need(body.cl_ord_id), body.request_id, body.report), at_ns)


def _request_refused(desk: Desk, body: f.CancelRefused | f.ReplaceRefused, at_ns: int) -> None:
    order = desk.shelf.need(body.cl_ord_id)
    desk.keep(evolve.request_moved(order, body.request_id, RequestOn.REFUSED), at_ns)


def _request_doubted(desk: Desk, body: f.CancelDoubted | f.ReplaceDoubted, at_ns: int) -> None:
    order = desk.shelf.need(body.cl_ord_id)
    desk.keep(evolve.request_moved(order, body.request_id, RequestOn.DOUBTED), at_ns)


def _hole_seen(desk: Desk, body: f.HoleSeen, at_ns: int) -> None:
    desk.keep(evolve.accepted(desk.shelf.need(body.cl_ord_id), body.report), at_ns)


FOLDS_OF_ORDERS: dict[type[f.Body], Fold] = {
    f.OrderIntended: _order_intended,
    f.OrderDenied: _order_denied,
    f.OrderAccepted: _order_accepted,
    f.OrderRefused: _order_refused,
    f.OrderDoubted: _order_doubted,
    f.OrderEnded: _order_ended,
    f.OrderReopened: _order_reopened,
    f.NotFoundCounted: _not_found_counted,
    f.OrderAbandoned: _order_abandoned,
    f.OrderQuarantined: _order_quarantined,
    f.OrderAdopted: _order_adopted,
    f.OrderRestated: _order_restated,
    f.OrderFlagged: _order_flagged,
    f.OrderRevived: _order_revived,
    f.CancelIntended: _cancel_intended,
    f.CancelRefused: _request_refused,
    f.CancelDoubted: _request_doubted,
    f.EmergencyCancelSent: _emergency_cancel_sent,
    f.RequestAcknowledged: _request_acknowledged,
    f.ReplaceIntended: _replace_intended,
    f.ReplaceAccepted: _replace_accepted,
    f.ReplaceRefused: _request_refused,
    f.ReplaceDoubted: _request_doubted,
    f.ReplacementIntended: _replacement_intended,
    f.ReplacementDropped: _replacement_dropped,
    f.HoleSeen: _hole_seen,
    f.ForeignOrderSeen: _foreign_order_seen,
    f.ForeignOrderGone: _foreign_order_gone,
}
