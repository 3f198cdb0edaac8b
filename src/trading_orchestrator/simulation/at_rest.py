"""The judge's last word: what must hold once everything has healed and nothing is under way."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.simulation.exposures import is_humans
from trading_orchestrator.simulation.judge import Judge
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.positions.position import assets_of
from trading_orchestrator.trading.state import State


def judge_at_rest(judge: Judge) -> None:
    """Judge what must hold once everything has healed and nothing is under way (I3, I6, I7, I11)."""
    judge.catch_up()
    trades = judge.venue.trades(judge.terms.symbol)
    missing = [trade.trade_id for trade in trades if trade.trade_id not in judge.booked]
    judge.demand(not missing, "I3", f"{len(missing)} venue trades were never booked: {missing[:5]}")
    unfinished = [order for order in judge.book.unfinished_orders() if not order.foreign]
    told = [f"{order.cl_ord_id} {order.status.value}" for order in unfinished[:5]]
    judge.demand(not unfinished, "I11", f"{len(unfinished)} orders are unsettled after healing: {told}")
    still_open = list(judge.exposures.open)
    judge.demand(not still_open, "I11", f"open at the venue after healing: {still_open[:5]}")
    differ = misheld(judge)
    judge.demand(not differ, "I4", f"a human's orders, held or open and not both: {differ[:5]}")
    judge.demand(not judge.book.blocked, "I11", f"still blocked after healing: {judge.book.blocked}")
    judge.demand(judge.book.mode == "normal", "I11", f"the desk is {judge.book.mode} after healing")
    _compare_sums(judge)
    _compare_folds(judge)


def misheld(judge: Judge) -> list[str]:
    """Return a human's orders that the venue works and the journal does not hold, or the other way round."""
    at_venue = {each.cl_ord_id for each in judge.venue.open_orders([judge.terms.symbol]) if is_humans(each)}
    foreign = [order for order in judge.book.orders() if order.foreign]
    held = {order.cl_ord_id for order in foreign if not order.is_closed or order.at_risk_qty}
    return sorted(at_venue ^ held)


def _compare_sums(judge: Judge) -> None:
    symbol = judge.terms.symbol
    position_qty, venues_qty = judge.book.position(symbol).qty, _venue_position_qty(judge)
    judge.demand(position_qty == venues_qty, "I3", f"position {position_qty}, the venue's {venues_qty}")
    ours = judge.book.balances()
    for balance in judge.venue.balances():
        told = ours.get(balance.asset, ZERO)
        judge.demand(told == balance.total, "I3", f"{balance.asset}: {told}, the venue's {balance.total}")


def _compare_folds(judge: Judge) -> None:
    """A successor that begins at the newest snapshot knows what one knows that begins at the first fact (I6)."""
    snapshot = judge.reader.snapshot(judge.terms.desk)
    if snapshot is None:
        return
    book = Book.from_snapshot(snapshot)
    book.on_timeline(judge.book.timeline)  # as a follower does: a restore between may have minted a new one
    for fact in judge.reader.facts_of_stream():
        book.apply_fact(fact)
    same = _state_of(book) == _state_of(judge.book)
    judge.demand(same, "I6", "the fold from the newest snapshot differs from the fold of all facts")


def _venue_position_qty(judge: Judge) -> Decimal:
    """Return what the account holds beyond its opening and its transfers, by the venue's own balances."""
    base = assets_of(judge.terms.symbol)[0]
    held = {balance.asset: balance.total for balance in judge.venue.balances()}
    return held.get(base, ZERO) - judge.opened_qty.get(base, ZERO) - judge.moved_qty.get(base, ZERO)


def _state_of(book: Book) -> State:
    """Return what a snapshot holds, by its values: a zero that was folded and one left out as a default are equal."""
    return msgspec.json.decode(book.to_snapshot(), type=State)
