"""From a call that failed, a restart or a finished inquiry to the facts it adds; pure and idempotent."""

from __future__ import annotations

from collections.abc import Sequence

from trading_orchestrator.brokers.port import OrderRefused, VenueStatus
from trading_orchestrator.errors import OrchestratorError, Refused, Transient
from trading_orchestrator.kernel.money import ZERO, plain
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.orders.finding import NOTHING, VANISHED, Finding
from trading_orchestrator.trading.orders.ledger import Ledger
from trading_orchestrator.trading.orders.life import At
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.orders.requests import Request, RequestAt, RequestKind

COUNTED_SINGLY = 12
LEFT_OPEN = "the venue's OK left the order"
CLOSED = frozenset({VenueStatus.FILLED, VenueStatus.CANCELED, VenueStatus.EXPIRED, VenueStatus.REJECTED})


def of_submit_failure(book: Ledger, cl_ord_id: str, error: BaseException) -> Finding:
    """Return what a failed submit adds.

    Only a refusal proven to come before matching, and a call that sent nothing, are a definite no. All
    else, DuplicateOrder and a cancelled task included, is doubt; and none if the stream already told. A
    refusal settles an earlier doubt, too (an order is sent once); a call that sent nothing does not.
    """
    order = book.order(cl_ord_id)
    if order is None or order.accepted or order.is_closed:
        return NOTHING
    in_doubt = order.lack is not None
    if isinstance(error, OrderRefused) or (isinstance(error, Transient) and not in_doubt):
        code, text = _code_and_text(error)
        source, raw_hash = _source_and_hash(error)
        return _one(
            f.OrderRefused(cl_ord_id=order.cl_ord_id, venue_code=code, text=text, source=source, raw_hash=raw_hash)
        )
    return NOTHING if in_doubt else _one(f.OrderDoubted(cl_ord_id=order.cl_ord_id, reason=_reason(error)))


def of_cancel_failure(book: Ledger, cl_ord_id: str, request_id: str, error: BaseException) -> Finding:
    """Return what a failed cancel adds. Its refusal says nothing of the order's fate: ask for order and trades."""
    order, request = _open_request(book, cl_ord_id, request_id)
    if order is None or request is None:
        return NOTHING
    if isinstance(error, Refused | Transient):
        code, text = _code_and_text(error)
        source, raw_hash = _source_and_hash(error)
        return _one(
            f.CancelRefused(
                cl_ord_id=order.cl_ord_id,
                request_id=request_id,
                venue_code=code,
                text=text,
                source=source,
                raw_hash=raw_hash,
            )
        )
    if request.at is not RequestAt.INTENDED:
        return NOTHING
    return _one(f.CancelDoubted(cl_ord_id=order.cl_ord_id, request_id=request_id, reason=_reason(error)))


def of_cancel_left_open(book: Ledger, cl_ord_id: str, request_id: str, said: VenueStatus) -> Finding:
    """Return what a cancel's OK adds that did not end the order: its end is asked for, and the cancel again."""
    order, request = _open_request(book, cl_ord_id, request_id)
    if order is None or request is None or request.at is not RequestAt.INTENDED or said in CLOSED:
        return NOTHING
    reason = f"{LEFT_OPEN} {said.value}"
    return _one(f.CancelDoubted(cl_ord_id=order.cl_ord_id, request_id=request_id, reason=reason))


def of_replace_failure(book: Ledger, cl_ord_id: str, request_id: str, error: BaseException) -> Finding:
    """Return what a failed replace adds; in doubt the larger quantity stays reserved."""
    order, request = _open_request(book, cl_ord_id, request_id)
    if order is None or request is None:
        return NOTHING
    if isinstance(error, Refused | Transient):
        code, text = _code_and_text(error)
        return _one(f.ReplaceRefused(cl_ord_id=order.cl_ord_id, request_id=request_id, venue_code=code, text=text))
    if request.at is not RequestAt.INTENDED:
        return NOTHING
    return _one(f.ReplaceDoubted(cl_ord_id=order.cl_ord_id, request_id=request_id, reason=_reason(error)))


def of_restart(book: Ledger) -> Finding:
    """Return the doubts a takeover begins with: every send whose answer the predecessor may not have journaled."""
    facts: list[f.Body] = []
    for order in book.unfinished_orders():
        if order.status is At.PENDING_NEW and not order.foreign:
            facts.append(f.OrderDoubted(cl_ord_id=order.cl_ord_id, reason="the sender ended before an answer"))
        facts += [_request_doubt(order, request) for request in order.requests if request.at is RequestAt.INTENDED]
    return Finding(facts=tuple(facts))


def of_vanished(book: Ledger, cl_ord_id: str, reason: str) -> Finding:
    """Return the doubt that begins when an order we hold live is missing from the venue's open orders."""
    order = book.order(cl_ord_id)
    if order is None or order.is_closed or order.lack is not None:
        return NOTHING
    return _one(f.OrderDoubted(cl_ord_id=order.cl_ord_id, reason=reason))


def of_not_found(book: Ledger, cl_ord_id: str, count: int, after_s: float) -> Finding:
    """Return what one more not-found adds while an order is in doubt: of many, each doubling is worth a fact."""
    order = book.order(cl_ord_id)
    if order is None or order.lack is None or (count > COUNTED_SINGLY and count & (count - 1)):
        return NOTHING
    return _one(f.NotFoundCounted(cl_ord_id=order.cl_ord_id, count=count, after_s=round(after_s, 3)))


def of_absence_proof(book: Ledger, cl_ord_id: str, proof: Sequence[str]) -> Finding:
    """Return what the completed proof R4 adds: the order is abandoned, or, if it had traded, gone with its fills.

    Args:
        proof: what was asked and answered, for the journal. The caller has met every condition of R4.
    """
    order = book.order(cl_ord_id)
    if order is None or order.is_closed:
        return NOTHING
    facts: list[f.Body] = []
    if order.lack is None:
        facts.append(f.OrderDoubted(cl_ord_id=order.cl_ord_id, reason="not found at the venue"))
    facts.append(f.OrderAbandoned(cl_ord_id=order.cl_ord_id, proof=list(proof)))
    if order.accepted:
        text = f"the venue had it, {plain(order.cum_qty or ZERO)} traded, and it is no longer there"
        facts.append(f.OrderFlagged(cl_ord_id=order.cl_ord_id, code=VANISHED, text=text))
    return Finding(facts=tuple(facts))


def of_budget_spent(book: Ledger, cl_ord_id: str, reason: str) -> Finding:
    """Return what rule R5 adds: an order still UNKNOWN past its budget is quarantined."""
    order = book.order(cl_ord_id)
    if order is None or order.status is not At.UNKNOWN:
        return NOTHING
    return _one(f.OrderQuarantined(cl_ord_id=order.cl_ord_id, reason=reason))


def _open_request(book: Ledger, cl_ord_id: str, request_id: str) -> tuple[Order | None, Request | None]:
    order = book.order(cl_ord_id)
    request = order.request(request_id) if order is not None else None
    return order, request if request is not None and request.is_open else None


def _request_doubt(order: Order, request: Request) -> f.Body:
    reason = "the sender ended before an answer"
    if request.kind is RequestKind.CANCEL:
        return f.CancelDoubted(cl_ord_id=order.cl_ord_id, request_id=request.request_id, reason=reason)
    return f.ReplaceDoubted(cl_ord_id=order.cl_ord_id, request_id=request.request_id, reason=reason)


def _one(body: f.Body) -> Finding:
    return Finding(facts=(body,))


def _code_and_text(error: OrchestratorError) -> tuple[str, str]:
    return str(error.facts.get("venue_code") or error.code), str(error.facts.get("text") or error.message)


def _source_and_hash(error: OrchestratorError) -> tuple[str, str]:
    """Return whose word a refusal is, and the hash of the answer: what the venue never answered is our own word."""
    raw_hash = str(error.facts.get("raw_hash") or "")
    return "answer" if raw_hash or error.facts.get("venue_code") else "desk", raw_hash


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
