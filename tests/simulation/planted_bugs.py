"""Bugs as other systems have them, one a function: each makes the product wrong in the way its name says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from trading_orchestrator.brokers.budget import Purpose, RequestBudget
from trading_orchestrator.brokers.port import CancelRefused, NewOrder, OrderReport, TradeReport, VenueStatus
from trading_orchestrator.errors import OrchestratorError, Refused
from trading_orchestrator.simulation.coverage import Cell
from trading_orchestrator.simulation.faults import FaultKind
from trading_orchestrator.storage.sqlite.transaction import WriteTransaction
from trading_orchestrator.trading import (
    emergency,
    facts,
    foreign_orders,
    intake,
    key_stop,
    kill_switch,
    lost_orders,
    mode_requests,
    polls,
    reconcile,
    record,
    replacing,
    resolve,
    sender,
)
from trading_orchestrator.trading.balance_check import BalanceCheck
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.orders.answers import of_cancel_failure
from trading_orchestrator.trading.orders.finding import NOTHING, Finding
from trading_orchestrator.trading.orders.life import At
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.risk import check
from trading_orchestrator.trading.state import State

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]


def resend_on_timeout(patch: Patch) -> None:
    """As alpaca-py does on 429 and 504."""
    failed = sender.OrderGateway._submit_failed

    def resend(self: Any, cl_ord_id: str, error: BaseException) -> None:
        failed(self, cl_ord_id, error)
        order = self._intake.book.order(cl_ord_id)
        if order is not None and self._intake.is_in_doubt(cl_ord_id):
            again = NewOrder(cl_ord_id, order.symbol, order.side, order.ord_type, order.order_qty, order.px)
            asyncio.create_task(self._broker.submit(again))  # noqa: RUF006 - a bug need not be tidy

    patch.setattr(sender.OrderGateway, "_submit_failed", resend)


def reject_on_timeout(patch: Patch) -> None:
    """As NautilusTrader does after its open check retries."""

    def rejected(book: Any, cl_ord_id: str, error: BaseException) -> Finding:
        order = book.order(cl_ord_id)
        if order is None or order.accepted or order.is_closed:
            return NOTHING
        return Finding(facts=(facts.OrderRefused(cl_ord_id=cl_ord_id, venue_code="", text="timed out"),))

    patch.setattr(sender, "of_submit_failure", rejected)


def drop_the_epoch_check(patch: Patch) -> None:
    patch.setattr(WriteTransaction, "check_fence", lambda self, fence: None)


def key_fills_by_order_id(patch: Patch) -> None:
    """Every second fill of an order then looks like the first."""
    judged = Book.known_trade

    def known(self: Any, trade: TradeReport) -> Any:
        order = self.find_order(symbol=trade.symbol, cl_ord_id=trade.cl_ord_id, venue_order_id=trade.venue_order_id)
        if order is None or not order.cum_qty:
            return judged(self, trade)
        return type("Known", (), {"busted": False, "owned": True, "tells": lambda self, trade: True})()

    patch.setattr(Book, "known_trade", known)


def book_every_report_of_a_trade(patch: Patch) -> None:
    patch.setattr(Book, "known_trade", lambda self, trade: None)
    patch.setattr(Book, "is_booked", lambda self, trade: False)


def trust_terminal(patch: Patch) -> None:
    """What is over is over: no report moves it any more."""
    find = intake.Intake._find

    def deaf(self: Any, evidence: OrderReport | TradeReport, source: str, known: Any) -> Finding:
        order = self.book.order(evidence.cl_ord_id)
        return NOTHING if order is not None and order.is_closed else find(self, evidence, source, known)

    patch.setattr(intake.Intake, "_find", deaf)


def ignore_late_fills(patch: Patch) -> None:
    """A trade is booked only while its order is open in the book, and the order's own sum is believed."""
    find = intake.Intake._find

    def ignoring(self: Any, evidence: OrderReport | TradeReport, source: str, known: Any) -> Finding:
        order = self.book.order(evidence.cl_ord_id)
        late = isinstance(evidence, TradeReport) and order is not None and order.is_closed
        return NOTHING if late else find(self, evidence, source, known)

    patch.setattr(intake.Intake, "_find", ignoring)


def abandon_after_one_not_found(patch: Patch) -> None:
    patch.setattr(resolve.Resolver, "_is_spread", lambda self, doubt: len(doubt.not_found_ns) >= 1)


def take_a_failed_question_for_a_not_found(patch: Patch) -> None:
    settle = resolve.Resolver._settle

    async def settled(self: Any, order: Order, doubt: Any) -> None:
        try:
            await settle(self, order, doubt)
        except OrchestratorError:
            self._note_not_found(doubt)
            await self._abandon_if_proved(doubt)

    patch.setattr(resolve.Resolver, "_settle", settled)


def release_exposure_of_unknown(patch: Patch) -> None:
    at_risk = Order.at_risk_qty.compute

    def released(self: Order) -> Decimal:
        return Decimal(0) if self.status is At.UNKNOWN else at_risk(self)

    patch.setattr(Order, "at_risk_qty", property(released))


def send_before_the_intent_is_durable(patch: Patch) -> None:
    async def at_once(durable: Any) -> bool:
        return True

    patch.setattr(sender, "_is_durable", at_once)


def take_a_refused_commit_for_done(patch: Patch) -> None:
    init = record.DeskRecord.__init__

    class Believing:
        def __init__(self, store: Any) -> None:
            self._store = store

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

        async def append(self, *args: Any, **more: Any) -> Sequence[Any]:
            try:
                found: Sequence[Any] = await self._store.append(*args, **more)
            except Refused:
                raise
            except OrchestratorError:
                return ()
            return found

    def believing(self: Any, book: Any, store: Any, **more: Any) -> None:
        init(self, book, Believing(store), **more)

    patch.setattr(record.DeskRecord, "__init__", believing)


def forget_doubts_at_a_takeover(patch: Patch) -> None:
    patch.setattr(reconcile, "of_restart", lambda book: NOTHING)


def look_at_the_lease_a_turn_too_early(patch: Patch) -> None:
    """A bug this simulation found: a node stopped in between sent under a lease that was another's by then."""

    async def send(self: Any, order: NewOrder) -> OrderReport:
        found: OrderReport = await self._broker.submit(order)
        return found

    patch.setattr(sender.OrderGateway, "_send", send)


def never_poll_trades(patch: Patch) -> None:
    """Streams are never wrong, are they?"""

    async def nothing(self: Any, *args: Any) -> None:
        return

    patch.setattr(polls.Polls, "poll_trades", nothing)
    patch.setattr(Order, "hole_qty", property(lambda self: Decimal(0)))


def key_fills_by_a_new_id_each_time(patch: Patch) -> None:
    """A key with the time of the booking in it: the same trade is another one tomorrow."""
    patch.setattr(State, "trade_key", lambda self, symbol, trade_id: f"{self.account}/{symbol}/{trade_id}@{self.seq}")


def decide_whatever_the_mode(patch: Patch) -> None:
    patch.setattr(check, "RULES", tuple(rule for rule in check.RULES if rule is not check.mode_allows))


def verify_a_kill_without_a_look(patch: Patch) -> None:
    async def believing(self: Any) -> None:
        if not self._record.book.kill_is_verified:
            self._record.write(facts.DeskKillVerified(looks=2))

    patch.setattr(kill_switch.KillSwitch, "_press", believing)


def let_a_blocked_symbol_add(patch: Patch) -> None:
    """Whoever has a position may trade either way."""
    patch.setattr(check, "_reduces", lambda case: True)


def release_exposure_of_quarantined(patch: Patch) -> None:
    """What nobody could find for so long will not come any more, will it?"""
    at_risk = Order.at_risk_qty.compute

    def released(self: Order) -> Decimal:
        return Decimal(0) if self.status is At.QUARANTINED else at_risk(self)

    patch.setattr(Order, "at_risk_qty", property(released))
    patch.setattr(check, "RULES", tuple(rule for rule in check.RULES if rule is not check.symbol_is_free))


def ask_on_during_a_ban(patch: Patch) -> None:
    """As clients do that retry a 429 at once; the venue then bans for longer."""
    patch.setattr(RequestBudget, "pause", lambda self, seconds: None)


def spend_without_counting(patch: Patch) -> None:
    patch.setattr(RequestBudget, "_spend", lambda self, weight, purpose: None)


def let_cancels_queue_with_polls(patch: Patch) -> None:
    enter = RequestBudget.enter

    async def queued(self: Any, weight: float, purpose: Purpose) -> None:
        await enter(self, weight, Purpose.POLL if purpose is Purpose.CANCEL else purpose)

    patch.setattr(RequestBudget, "enter", queued)


def let_a_deposed_node_cancel(patch: Patch) -> None:
    """A cancel can do no harm, can it? It can: the order is the successor's by now."""

    async def send(self: Any, symbol: str, cl_ord_id: str) -> OrderReport:
        found: OrderReport = await self._broker.cancel(symbol, cl_ord_id)
        return found

    patch.setattr(sender.OrderGateway, "_send_cancel", send)


def take_a_refused_cancel_for_canceled(patch: Patch) -> None:
    """-2011 also says that it filled."""

    def canceled(book: Any, cl_ord_id: str, request_id: str, error: BaseException) -> Finding:
        order = book.order(cl_ord_id)
        if not isinstance(error, CancelRefused) or order is None or order.is_closed:
            return of_cancel_failure(book, cl_ord_id, request_id, error)
        report = OrderReport(
            symbol=order.symbol,
            cl_ord_id=cl_ord_id,
            venue_order_id=order.venue_order_id,
            status=VenueStatus.CANCELED,
            side=order.side,
            ord_type=order.ord_type,
            order_qty=order.order_qty,
            px=order.px,
            cum_qty=order.cum_qty,
            at_ns=order.updated_ns + 1,
            source="answer",
        )
        return Finding(facts=(facts.OrderEnded(report=report),))

    patch.setattr(sender, "of_cancel_failure", canceled)
    patch.setattr(resolve, "of_cancel_failure", canceled)


def book_no_trade_of_a_human(patch: Patch) -> None:
    """What is not ours does not concern us; but the position is the account's."""
    find = intake.Intake._find

    def ours_only(self: Any, evidence: OrderReport | TradeReport, source: str, known: Any) -> Finding:
        return NOTHING if evidence.cl_ord_id.startswith("web_") else find(self, evidence, source, known)

    patch.setattr(intake.Intake, "_find", ours_only)


def book_a_difference_away(patch: Patch) -> None:
    """As bots do that "sync" their balance: an operator's explanation then counts twice."""

    def conclude(self: Any, seen: Any) -> None:
        self._balances.settled = seen
        told = [facts.AccountAdjusted(asset=asset, qty=qty, by="desk", reason="sync") for asset, qty in seen.items()]
        if told:
            self._record.write(*told)

    patch.setattr(polls.Polls, "_conclude", conclude)


def answer_requests_again_after_each_start(patch: Patch) -> None:
    """The place of the last request answered is not remembered."""
    follow = mode_requests.ModeRequests.follow_now

    async def from_the_start(self: Any) -> None:
        patch.setattr(Book, "request_pos", property(lambda book: 0))
        await follow(self)

    patch.setattr(mode_requests.ModeRequests, "follow_now", from_the_start)


def mint_lost_ids_again(patch: Patch) -> None:
    """A journal put back does not know what it sent; its next ids are those of orders that the venue has."""

    async def nothing_is_lost(self: Any) -> Any:
        return lost_orders.Lost()

    patch.setattr(lost_orders.LostOrders, "search", nothing_is_lost)


def forget_trades_in_a_snapshot(patch: Patch) -> None:
    """Only a start-up after two thousand facts would show it."""
    from_snapshot = Book.from_snapshot.__func__  # type: ignore[attr-defined]  # a class method

    def forgetful(kind: type[Book], value: bytes) -> Book:
        book: Book = from_snapshot(kind, value)
        book._desk.state.trades = {}
        return book

    patch.setattr(Book, "from_snapshot", classmethod(forgetful))


def replace_before_the_cancel_is_proved(patch: Patch) -> None:
    """Both may fill then."""

    def at_once(self: Any) -> None:
        for cl_ord_id, wanted in list(self._record.book.replacements().items()):
            order = self._record.book.order(cl_ord_id)
            if order is not None and not self._record.is_lost:
                self._due.set()
                self._intend_the_rest(order, wanted)

    patch.setattr(replacing.Replacing, "look", at_once)


def abandon_whatever_the_balance_says(patch: Patch) -> None:
    """Rule R4 without its last condition: a fill that no list of trades shows yet has moved the account already."""

    async def explains(self: Any, **more: Any) -> bool:
        return True

    patch.setattr(BalanceCheck, "explains", explains)


def abandon_whatever_the_trades_say(patch: Patch) -> None:
    """Rule R4 without trades: one that names only the venue's id of its order is somebody else's, isn't it?"""
    patch.setattr(resolve.Resolver, "_may_have_traded", lambda self, doubt: False)


def abandon_before_a_late_packet_would_be_refused(patch: Patch) -> None:
    """Three not-founds are three not-founds, however early."""
    patch.setattr(resolve.Resolver, "_proof_ns", lambda self, doubt: 0)


def never_compare_balances(patch: Patch) -> None:
    async def nothing(self: Any) -> None:
        return

    patch.setattr(polls.Polls, "compare", nothing)


def never_poll_orders(patch: Patch) -> None:
    """The stream tells what ends, doesn't it?"""

    async def nothing(self: Any) -> None:
        return

    patch.setattr(polls.Polls, "poll_orders", nothing)


def trade_without_a_permit(patch: Patch) -> None:
    """Real money, and nobody said that it may be moved."""
    mode = Book.mode.fget  # type: ignore[attr-defined]  # a property
    patch.setattr(Book, "mode", property(lambda book: "normal" if mode(book) == "unarmed" else mode(book)))


def trade_on_at_the_days_loss(patch: Patch) -> None:
    mode = Book.mode.fget  # type: ignore[attr-defined]  # a property
    patch.setattr(Book, "mode", property(lambda book: "normal" if book.day_loss.reached else mode(book)))


def trade_on_with_a_refused_key(patch: Patch) -> None:
    """It may be accepted again at any moment, and meanwhile the venue bans the address for it."""
    patch.setattr(key_stop.KeyStop, "refused", lambda self, refused, question: None)


def take_a_humans_word_for_his_orders(patch: Patch) -> None:
    """What he cancels while no frame comes stays reserved for ever."""

    async def trust(self: foreign_orders.ForeignOrders, listed: Sequence[OrderReport], asked_ns: int) -> None:
        return None

    patch.setattr(foreign_orders.ForeignOrders, "look", trust)


def cancel_in_an_emergency_without_a_note(patch: Patch) -> None:
    """When the journal works again nobody knows what was done."""
    patch.setattr(emergency.EmergencyCancels, "_note", lambda self, order, why: True)


AIMED: Mapping[Plant, Sequence[Cell]] = {
    look_at_the_lease_a_turn_too_early: [(FaultKind.STOPPED_AT_SEND, At.PENDING_NEW)] * 12,
    let_a_deposed_node_cancel: [(FaultKind.STOPPED_AT_SEND, At.NEW)] * 12,
    never_poll_trades: [(FaultKind.DROPPED, At.NEW)] * 40,
    verify_a_kill_without_a_look: [(FaultKind.KILL_SWITCHED, At.NEW)] * 6,
    book_a_difference_away: [(FaultKind.TRANSFERRED, At.NEW)] * 6,
    mint_lost_ids_again: [(FaultKind.RESTORED, At.UNKNOWN)] * 3,
    abandon_whatever_the_balance_says: [(FaultKind.FORGOTTEN, At.UNKNOWN)] * 8,
    trade_without_a_permit: [(FaultKind.DISARMED, At.NEW)] * 6,
    trade_on_with_a_refused_key: [(FaultKind.KEY_REVOKED, At.NEW)] * 6,
    cancel_in_an_emergency_without_a_note: [(FaultKind.COMMIT_REFUSED, At.NEW)] * 6,
    abandon_whatever_the_trades_say: [(FaultKind.FORGOTTEN, At.UNKNOWN)] * 8,
}
"""What shows the bugs that need a rare moment: the seeds aim at it, so that finding them takes no luck."""
PLANTED: Sequence[Plant] = (
    resend_on_timeout,
    reject_on_timeout,
    drop_the_epoch_check,
    key_fills_by_order_id,
    key_fills_by_a_new_id_each_time,
    book_every_report_of_a_trade,
    trust_terminal,
    ignore_late_fills,
    abandon_after_one_not_found,
    take_a_failed_question_for_a_not_found,
    release_exposure_of_unknown,
    send_before_the_intent_is_durable,
    take_a_refused_commit_for_done,
    forget_doubts_at_a_takeover,
    look_at_the_lease_a_turn_too_early,
    never_poll_trades,
    decide_whatever_the_mode,
    verify_a_kill_without_a_look,
    let_a_blocked_symbol_add,
    release_exposure_of_quarantined,
    ask_on_during_a_ban,
    spend_without_counting,
    let_cancels_queue_with_polls,
    let_a_deposed_node_cancel,
    take_a_refused_cancel_for_canceled,
    book_no_trade_of_a_human,
    book_a_difference_away,
    answer_requests_again_after_each_start,
    mint_lost_ids_again,
    forget_trades_in_a_snapshot,
    replace_before_the_cancel_is_proved,
    abandon_whatever_the_balance_says,
    abandon_whatever_the_trades_say,
    abandon_before_a_late_packet_would_be_refused,
    never_compare_balances,
    never_poll_orders,
    trade_without_a_permit,
    trade_on_at_the_days_loss,
    trade_on_with_a_refused_key,
    cancel_in_an_emergency_without_a_note,
    take_a_humans_word_for_his_orders,
)
