"""Trades added or changed by other means than a trade report: holes filled by inference, busts, corrections."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import msgspec

from trading_orchestrator.brokers.port import OrderReport, TradeAmendment, TradeReport
from trading_orchestrator.kernel.ids import digest_base32
from trading_orchestrator.kernel.money import ZERO, plain
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.orders.evidence import NONE_KNOWN
from trading_orchestrator.trading.orders.finding import NOTHING, UNATTRIBUTED, Ask, Finding, Known
from trading_orchestrator.trading.orders.ledger import Ledger
from trading_orchestrator.trading.orders.locate import locate
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.orders.stored import TRADES, stored_trade

SYNTHETIC_PREFIX = "hole-"
PX_DIGITS = 10
"""Sums are exact only while products have few digits: what a synthetic fill added has to be taken back to the last."""


def of_hole_past_grace(book: Ledger, cl_ord_id: str, *, px: Decimal, at_ns: int) -> Finding:
    """Return the synthetic fill for a hole that outlived its grace; real trades will replace it.

    Args:
        px: the venue's average price if it tells one (`px_of_hole`), else the order's limit, else the mark.
        at_ns: the wall time to give the fill.
    """
    order = book.order(cl_ord_id)
    if order is None or not order.hole_qty:
        return NOTHING
    cum_to = order.venue_cum
    trade = TradeReport(
        symbol=order.symbol,
        trade_id=SYNTHETIC_PREFIX + digest_base32(order.cl_ord_id, plain(order.cum_qty), plain(cum_to)),
        venue_order_id=order.venue_order_id,
        cl_ord_id=order.cl_ord_id,
        side=order.side,
        last_qty=order.hole_qty,
        last_px=px,
        fee=ZERO,
        fee_asset="",
        at_ns=at_ns,
    )
    body = f.TradeInferred(cl_ord_id=order.cl_ord_id, trade=trade, cum_from=order.cum_qty, cum_to=cum_to, told=True)
    return Finding(facts=(body,))


def px_of_hole(order: Order, report: OrderReport) -> Decimal | None:
    """Return the average price of what the venue counts beyond our trades; None when it tells no value for it."""
    if report.cum_quote is None or report.cum_qty <= order.cum_qty:
        return None
    px = (report.cum_quote - order.cum_quote) / (report.cum_qty - order.cum_qty)
    return round(px, PX_DIGITS) if px > ZERO else None


def of_amendment(book: Ledger, said: TradeAmendment, *, known: Known = NONE_KNOWN) -> Finding:
    """Return what the venue's word on a trade of before adds."""
    if not said.last_qty:
        return of_bust(book, symbol=said.symbol, trade_id=said.trade_id, reason=said.text, known=known)
    return of_correction(
        book,
        symbol=said.symbol,
        trade_id=said.trade_id,
        last_qty=said.last_qty,
        last_px=said.last_px,
        reason=said.text,
        known=known,
    )


def of_bust(book: Ledger, *, symbol: str, trade_id: str, reason: str = "", known: Known = NONE_KNOWN) -> Finding:
    """Return what the venue's taking back of a trade adds."""
    place = _booked(book, symbol, trade_id, known)
    if isinstance(place, Finding):
        return place
    body = f.TradeBusted(cl_ord_id=place.cl_ord_id, trade=place.trade, reason=reason)
    return Finding(facts=(*place.facts, body))


def of_correction(
    book: Ledger,
    *,
    symbol: str,
    trade_id: str,
    last_qty: Decimal,
    last_px: Decimal | None,
    reason: str = "",
    known: Known = NONE_KNOWN,
) -> Finding:
    """Return what the venue's change of a trade adds. `last_px` None: the price stays."""
    place = _booked(book, symbol, trade_id, known)
    if isinstance(place, Finding):
        return place
    before = place.trade
    px = before.last_px if last_px is None else last_px
    after = msgspec.structs.replace(before, last_qty=last_qty, last_px=px)
    if after == before:
        return NOTHING
    body = f.TradeCorrected(cl_ord_id=place.cl_ord_id, before=before, after=after, reason=reason)
    return Finding(facts=(*place.facts, body))


@dataclass(frozen=True)
class _Booked:
    """A trade as booked, its order's id, and the facts that bring the order back if it left memory."""

    trade: TradeReport
    cl_ord_id: str
    facts: tuple[f.Body, ...]


def _booked(book: Ledger, symbol: str, trade_id: str, known: Known) -> Finding | _Booked:
    """Return the booked trade; or the finding that comes first, or ends it."""
    ask = Ask(TRADES, f"{book.account}/{symbol}/{trade_id}")
    if ask not in known:
        return Finding(asks=(ask,))
    row = known[ask]
    if row is None:
        text = f"the venue changed trade {trade_id} on {symbol}, which is not booked"
        return Finding(facts=(f.OrderFlagged(cl_ord_id="", code=UNATTRIBUTED, text=text),))
    stored = stored_trade(row)
    trade, remembered = stored.record, book.known_trade(stored.record)
    if stored.is_busted or (remembered is not None and remembered.busted):
        return NOTHING
    if remembered is not None:  # the row may be older than the book: two messages looked it up at once
        trade = msgspec.structs.replace(trade, last_qty=remembered.qty, last_px=remembered.px)
    place = locate(book, symbol=symbol, cl_ord_id=trade.cl_ord_id, venue_order_id=trade.venue_order_id, known=known)
    if place.finding is not None:
        return place.finding
    return _Booked(trade, place.order.cl_ord_id if place.order is not None else "", place.facts)
