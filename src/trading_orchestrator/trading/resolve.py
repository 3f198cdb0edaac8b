"""Unknown orders, resolved by asking and never by resending: rules R1 to R5 of the order protocol."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from trading_orchestrator.brokers.budget import last_look
from trading_orchestrator.brokers.port import Broker, CancelRefused, OrderNotFound, OrderReport, SymbolGone
from trading_orchestrator.errors import OrchestratorError, Transient
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.ids import RandomBytes
from trading_orchestrator.kernel.tenancy import Seat
from trading_orchestrator.trading.balance_check import BalanceCheck
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.intake import Intake, NotFound
from trading_orchestrator.trading.orders.amends import of_hole_past_grace, px_of_hole
from trading_orchestrator.trading.orders.answers import (
    of_absence_proof,
    of_budget_spent,
    of_cancel_failure,
    of_not_found,
    of_vanished,
)
from trading_orchestrator.trading.orders.life import At
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.sender import NotOurs

log = logging.getLogger(__name__)
NOT_FOUNDS_NEEDED = 3
NUDGE_APART_S = 1.0
NUDGE_SLOWLY_APART_S = 5.0
"""What is past its budget or grace is asked for slowly, so that fresh doubts come first."""
ASKING_AT_ONCE = 8
"""Questions under way at the same time: the rest of the request budget belongs to cancels."""


@dataclass
class Doubt:
    """What we know of one order's absence. Times are monotonic nanoseconds.

    `sent_before_ns`: it cannot have been sent later: the moment of the doubt, which a takeover begins with.
    `spent_ns`: when its budget ends (R5); None while it is not UNKNOWN.
    `hole`: when its hole was first seen, by the wall clock (as the order has it) and by the monotonic one.
    """

    cl_ord_id: str
    symbol: str
    sent_before_ns: int
    not_found_ns: list[int] = field(default_factory=list)
    proof: list[str] = field(default_factory=list)
    asked_ns: int = 0
    spent_ns: int | None = None
    hole: tuple[int, int] = (0, 0)
    nudged: asyncio.Event = field(default_factory=asyncio.Event)


class Resolver:
    """One task per order in question: in doubt (R2, R4), or with a cancel that nobody answered.

    R1: it never sends an order. A cancel may be asked again, since asking twice cannot cancel more.
    R5: what is UNKNOWN for longer than `quarantine_s` is quarantined, and asked for all the same.
    """

    def __init__(
        self,
        intake: Intake,
        broker: Broker,
        seat: Seat,
        balances: BalanceCheck,
        config: DeskConfig,
        *,
        clock: Clock,
        random_bytes: RandomBytes,
        is_under_way: Callable[[str], bool],
        mark_px: Callable[[str], Decimal | None],
    ) -> None:
        self._intake = intake
        self._broker = broker
        self._seat = seat
        self._balances = balances
        self._config = config
        self._clock = clock
        self._random_bytes = random_bytes
        self._is_under_way = is_under_way
        self._mark_px = mark_px
        self._asking = asyncio.Semaphore(ASKING_AT_ONCE)
        self._doubts: dict[str, Doubt] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closed = False
        self.skew_s = 0.0

    def watch(
        self, cl_ord_id: str, *, not_found_already: bool = False, after_s: float = 0.0, at_once: bool = False
    ) -> None:
        """Ask for this order, once and until nothing about it is in question. One that is watched stays so.

        Args:
            not_found_already: the venue has just said once that it does not know the order.
            after_s: what is missing may be on its way for so long.
            at_once: do not wait for its next turn if it is watched already.
        """
        order = self._intake.book.order(cl_ord_id)
        if self._closed or order is None or order.foreign:
            return
        if order.cl_ord_id in self._tasks:
            if at_once:
                self._doubts[order.cl_ord_id].nudged.set()
            return
        doubt = Doubt(order.cl_ord_id, order.symbol, self._sent_before_ns(order))
        if not_found_already:
            self._note_not_found(doubt)
        self._doubts[order.cl_ord_id] = doubt
        watching = self._watch_over(doubt, after_s)
        self._tasks[order.cl_ord_id] = asyncio.create_task(watching, name=f"resolve {order.cl_ord_id}")

    def _sent_before_ns(self, order: Order) -> int:
        """Return until when it can have been sent: an order is never sent after it was doubted, by whomever.

        The doubt is stamped with the wall clock, which may step. Every start refuses a wall clock that is off the
        venue's by more than `clock_offset_limit_s`, so two of them (then and now) differ by at most twice that.
        """
        now_ns = self._clock.monotonic_ns()
        if order.lack is None or not order.lack_ns:
            return now_ns
        uncertain_ns = int(2 * self._config.clock_offset_limit_s * 1e9)
        return now_ns - max(0, self._clock.wall_ns() - order.lack_ns - uncertain_ns)

    def nudge(self) -> None:
        """The venue answers: let every question that waits be asked now, but none more often than `NUDGE_APART_S`."""
        now_ns = self._clock.monotonic_ns()
        for doubt in self._doubts.values():
            apart_s = NUDGE_SLOWLY_APART_S if self._is_patient(doubt) else NUDGE_APART_S
            if now_ns - doubt.asked_ns >= apart_s * 1e9:
                doubt.nudged.set()

    async def close(self) -> None:
        """Ask no more."""
        self._closed = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch_over(self, doubt: Doubt, after_s: float) -> None:
        """Forget it in the turn in which the asking ends: a doubt of the next turn is another one."""
        try:
            await self._ask_until_settled(doubt, after_s)
        finally:
            del self._tasks[doubt.cl_ord_id], self._doubts[doubt.cl_ord_id]

    async def _ask_until_settled(self, doubt: Doubt, after_s: float) -> None:
        attempt = 0
        if after_s:
            await self._clock.sleep(after_s)
        # Without a wait it is asked for once whatever we hold: the venue's list of open orders lacks it, perhaps.
        while (order := self._intake.book.order(doubt.cl_ord_id)) is not None:
            if (attempt or after_s) and not self._is_in_question(doubt):
                return
            paused_s: float | None = None
            try:
                async with self._asking:
                    await self._settle(order, doubt)
            except OrchestratorError as error:
                # No information (a failed question is not an absence); the next one may bring some.
                log.info("asking for %s: %s", doubt.cl_ord_id, error.message)
                paused_s = error.retry_after_s if isinstance(error, Transient) else None
            except Exception:  # a broker's bug must not end the asking: the order would be in doubt for ever
                log.exception("asking for %s failed in a way nobody expected", doubt.cl_ord_id)
            if not self._is_in_question(doubt):
                return
            self._keep_to_budget(doubt)
            await self._wait(doubt, attempt, paused_s)
            attempt += 1

    def _is_in_question(self, doubt: Doubt) -> bool:
        order = self._intake.book.order(doubt.cl_ord_id)
        if order is None or order.is_finished:
            return order is not None and bool(order.inferred)
        unanswered = order.status is At.PENDING_NEW and not self._is_under_way(order.cl_ord_id)
        return unanswered or order.lack is not None or bool(order.hole_qty) or _open_cancel(order) is not None

    async def _settle(self, order: Order, doubt: Doubt) -> None:
        """Ask once; adopt what is found, or prove that there is nothing to find."""
        doubt.asked_ns = self._clock.monotonic_ns()
        try:
            report = await self._broker.order(order.symbol, order.cl_ord_id)
        except OrchestratorError as error:
            if isinstance(error, OrderNotFound):
                self._note_not_found(doubt)  # at once: after a cancel's time-out it would seem to have come later
            await self._cancel_unseen(doubt)
            if isinstance(error, SymbolGone):  # nobody there speaks of it any more: it proves nothing, not even once
                reason = f"the venue knows no symbol {order.symbol} any more"
                self._intake.conclude(of_vanished(self._intake.book, order.cl_ord_id, reason))
            if not isinstance(error, OrderNotFound):
                raise
            await self._fetch_trades(order)
            await self._abandon_if_proved(doubt)
            return
        doubt.not_found_ns.clear()
        doubt.proof.clear()
        await self._intake.take_in(report, report.source)
        await self._fill_hole(doubt, report)
        await self._cancel_again(doubt)

    async def _fill_hole(self, doubt: Doubt, report: OrderReport) -> None:
        """Fetch an order's own trades while the venue counts more of it than we have (ORDER_PROTOCOL section 6).

        What they leave open past its grace is booked as a synthetic fill, and asked for all the same.
        """
        order = self._intake.book.order(doubt.cl_ord_id)
        if order is None or not (order.hole_qty or order.inferred) or not order.venue_order_id:
            return
        for trade in await self._broker.trades_of(order.symbol, order.venue_order_id):
            await self._intake.take_in(trade, "query")
        order = self._intake.book.order(doubt.cl_ord_id)
        if order is None or not order.hole_qty or report.cum_qty < order.venue_cum:
            return
        px = px_of_hole(order, report) or order.px or self._mark_px(order.symbol)
        if px is not None and self._clock.monotonic_ns() >= self._grace_ends_ns(order, doubt):
            at_ns = self._clock.wall_ns()
            self._intake.conclude(of_hole_past_grace(self._intake.book, order.cl_ord_id, px=px, at_ns=at_ns))

    def _grace_ends_ns(self, order: Order, doubt: Doubt) -> int:
        if doubt.hole[0] != order.hole_ns:
            doubt.hole = (order.hole_ns, self._monotonic_of(order.hole_ns))
        return doubt.hole[1] + int(self._config.grace_s * 1e9)

    async def _fetch_trades(self, order: Order) -> None:
        book = self._intake.book
        cursor, since_ns = book.trade_cursor(order.symbol), book.trade_cursor_ns(order.symbol)
        not_found: NotFound = {}
        for trade in await self._broker.trades(order.symbol, after_id=cursor, since_ns=since_ns):
            await self._intake.take_in(trade, "query", not_found)

    async def _cancel_again(self, doubt: Doubt) -> None:
        order = self._intake.book.order(doubt.cl_ord_id)
        request_id = _open_cancel(order) if order is not None and not order.is_closed else None
        if order is None or request_id is None or self._is_under_way(request_id) or not self._seat.may_act():
            return
        try:
            with last_look(self._look_at_lease):  # the budget may make it wait, and then the lease may be another's
                report: OrderReport = await self._broker.cancel(order.symbol, order.cl_ord_id)
        except CancelRefused as error:
            # Filled, canceled or gone: the next question tells which.
            self._intake.conclude(of_cancel_failure(self._intake.book, order.cl_ord_id, request_id, error))
            report = await self._broker.order(order.symbol, order.cl_ord_id)
        await self._intake.take_in(report, report.source)

    async def _cancel_unseen(self, doubt: Doubt) -> None:
        """Cancel what nobody can find, when everything of ours has to go: by the kill switch, or the day's loss.

        Not before the order itself can no longer arrive: a cancel that overtook it would miss it. That the venue
        knows no such order concludes nothing, and no answer either: it is tried again with the next question.
        """
        order = self._intake.book.order(doubt.cl_ord_id)
        if order is None or order.is_closed or not self._has_to_go(order):
            return
        request_id = _open_cancel(order)
        if request_id is None or self._is_under_way(request_id) or self._clock.monotonic_ns() < self._arrival_ns(doubt):
            return
        try:
            self._look_at_lease()
            with last_look(self._look_at_lease):
                report = await self._broker.cancel(order.symbol, order.cl_ord_id)
        except OrchestratorError as error:
            log.info("canceling %s unseen: %s", order.cl_ord_id, error.message)
        else:
            await self._intake.take_in(report, report.source)

    def _has_to_go(self, order: Order) -> bool:
        book = self._intake.book
        return book.is_killed or (bool(book.day_loss.reached) and order.created_ns <= book.day_loss.reached_ns)

    def _look_at_lease(self) -> None:
        if not self._seat.may_act():
            raise NotOurs("not sent: the lease ended while the cancel waited for its turn")

    # -- rule R5

    def _keep_to_budget(self, doubt: Doubt) -> None:
        """Quarantine what is UNKNOWN for too long; any evidence takes it back."""
        order = self._intake.book.order(doubt.cl_ord_id)
        if order is None or order.status is not At.UNKNOWN:
            doubt.spent_ns = None
            return
        if doubt.spent_ns is None:
            doubt.spent_ns = self._monotonic_of(order.lack_ns) + int(self._config.quarantine_s * 1e9)
        if self._clock.monotonic_ns() >= doubt.spent_ns:
            reason = f"nobody could tell what became of it for {self._config.quarantine_s:g} s"
            self._intake.conclude(of_budget_spent(self._intake.book, doubt.cl_ord_id, reason))
            doubt.spent_ns = None

    def _monotonic_of(self, wall_ns: int) -> int:
        """Return a wall time on the clock that never steps; a step meanwhile makes it a little early or late."""
        return self._clock.monotonic_ns() - max(0, self._clock.wall_ns() - wall_ns)

    def _is_patient(self, doubt: Doubt) -> bool:
        order = self._intake.book.order(doubt.cl_ord_id)
        return order is not None and (order.lack is At.QUARANTINED or bool(order.inferred))

    # -- rule R4

    def _note_not_found(self, doubt: Doubt) -> None:
        now_ns = self._clock.monotonic_ns()
        doubt.not_found_ns.append(now_ns)
        after_s = (now_ns - doubt.sent_before_ns) / 1e9
        doubt.proof.append(f"order query: not found, {after_s:.3f} s after it can last have been sent")
        self._intake.conclude(of_vanished(self._intake.book, doubt.cl_ord_id, "the venue does not know it"))
        count = len(doubt.not_found_ns)
        self._intake.conclude(of_not_found(self._intake.book, doubt.cl_ord_id, count, after_s))

    def _arrival_ns(self, doubt: Doubt) -> int:
        """Return when the order itself can no longer arrive."""
        arrival_s = max(self._broker.validity_s, self._broker.timeout_s)
        return doubt.sent_before_ns + int((arrival_s + abs(self.skew_s)) * 1e9)

    def _deadline_ns(self, doubt: Doubt) -> int:
        """Return after when the venue itself would refuse a late packet, with grace for its replicas."""
        return self._arrival_ns(doubt) + int(self._config.grace_s * 1e9)

    def _proof_ns(self, doubt: Doubt) -> int:
        """Return when one more not-found could complete the proof: past the deadline, and spread over the grace."""
        first_ns = doubt.not_found_ns[0] if doubt.not_found_ns else self._clock.monotonic_ns()
        return max(self._deadline_ns(doubt), first_ns + int(self._config.grace_s * 1e9))

    def _is_spread(self, doubt: Doubt) -> bool:
        told = doubt.not_found_ns
        return len(told) >= NOT_FOUNDS_NEEDED and told[-1] > self._proof_ns(doubt)

    async def _abandon_if_proved(self, doubt: Doubt) -> None:
        """All conditions of R4, the trades just asked for being the second endpoint."""
        if not self._is_spread(doubt) or self._may_have_traded(doubt):
            return
        order = self._intake.book.order(doubt.cl_ord_id)
        unsent_seq = order.created_seq if order is not None and order.intent_id else 0  # one that we adopted: unknown
        if not await self._balances.explains(before_seq=unsent_seq) or self._may_have_traded(doubt):
            return
        proof = [*_shortened(doubt.proof), "trades since the cursor: none carries the id", "balances: explained"]
        self._intake.conclude(of_absence_proof(self._intake.book, doubt.cl_ord_id, proof))

    def _may_have_traded(self, doubt: Doubt) -> bool:
        """A trade names only the venue's id: one that belongs to no order we know may be this order's (F6)."""
        book = self._intake.book
        order = book.order(doubt.cl_ord_id)
        if order is None or order.lack is None:
            return True
        most_qty = max(order.order_qty, order.most_qty)
        return book.has_ownerless_trade(order.symbol, since_seq=order.created_seq, most_qty=most_qty)

    # -- pace

    async def _wait(self, doubt: Doubt, attempt: int, paused_s: float | None) -> None:
        """Wait longer each time, with jitter, but not past the moments when proof or budget could be complete.

        After a ban of the venue it is asked at its end: the longer waits before it have brought nothing.
        """
        most_s = min(self._config.ask_longest_s, self._config.ask_first_s * 2.0 ** min(attempt, 30))
        spread = 0.5 + self._random_bytes(1)[0] / 512
        wait_s = most_s * spread if paused_s is None else paused_s + self._config.ask_first_s * spread
        order = self._intake.book.order(doubt.cl_ord_id)
        grace_ns = self._grace_ends_ns(order, doubt) if order is not None and order.hole_qty else 0
        goes_ns = self._arrival_ns(doubt) if order is not None and self._has_to_go(order) else 0
        for until_ns in (self._proof_ns(doubt), doubt.spent_ns or 0, grace_ns, goes_ns):
            left_s = (until_ns - self._clock.monotonic_ns()) / 1e9
            if 0 < left_s < wait_s:
                wait_s = left_s + 0.001
        doubt.nudged.clear()
        sleeping = asyncio.ensure_future(self._clock.sleep(wait_s))
        nudged = asyncio.ensure_future(doubt.nudged.wait())
        try:
            await asyncio.wait((sleeping, nudged), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            nudged.cancel()


def _open_cancel(order: Order) -> str | None:
    """Return the id of its cancel request that is not decided, or None."""
    for request in order.requests:
        if request.is_open and request.kind.value == "cancel":
            return request.request_id
    return None


def _shortened(proof: list[str], most: int = 12) -> list[str]:
    """An hour of not-founds proves no more than its first and last ones."""
    return proof if len(proof) <= most else [*proof[: most // 2], "…", *proof[-most // 2 :]]
