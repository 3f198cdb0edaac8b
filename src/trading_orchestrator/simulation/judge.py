"""The judge: holds the journal against the venue's own record, all the time and at the end.

It asks no node and believes none. What it knows comes from three places: the facts in the file, the venue's orders
and trades, and the packets on the wire. Where each invariant of ORDER_PROTOCOL section 10 is judged:

I1   `sent` (once a client id, over restores too), `_on_intended` (once an intent and generation)
I2   `sent`, `cancel_sent`, and `_on_report` for what reaches the venue whoever sent it
I3   `_on_booked` (once each, as the venue has it), AccountAdjusted in `_before` (nothing is booked away) and `at_rest`
     (none missing; position and cash are the venue's)
I4   `_on_report` and `_after` from both sides; `_on_evidence` and `_before`: nobody is quoted who did not speak;
     `_on_abandoned`: the venue has nothing of what is given up, and no packet brings it any more; `at_rest`: of a
     human's orders the journal holds those that the venue works, and no others
I5   `_judge_fact` (a fact that contradicts the others does not fold) and `_after` (cum_qty never falls)
I6   `at_rest` after every crash, at every await; `at_rest` folds from the newest snapshot and from the first fact
I7   `at_rest` after reports that were lost, doubled, late and overtaken
I8   `sent` by the venue's record, `_on_intended` by the journal's; reduce_only and blocked symbols only reduce
I9   `sent` and `cancel_sent` (who holds the lease), `_judge_fact` (epochs never fall)
I10  `asked` (the budget's own arithmetic, done here again), `cancel_waited`, and memory in `_on_intended`
I11  `at_rest`: nothing unsettled or blocked, everybody may trade; `to_write_off`: who may need a human's help;
     `exam.py`: what ended without a word is found, and money that moved blocks its symbol, in bounded time
I12  `_on_evidence`, `_on_abandoned` (rule R4 by the answers that truly came) and OrderRefused in `_before`
Beyond them: the latch, the permit, the key and the day's loss (`_on_latch`, `sent`, `_on_intended`), and the program
itself (`blame`: a task or node that ended by a bug).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from trading_orchestrator.brokers.budget import BudgetConfig, BudgetSpent
from trading_orchestrator.brokers.port import (
    KeyRefused,
    NewOrder,
    OrderNotFound,
    OrderRefused,
    OrderReport,
    TradeReport,
    VenueStatus,
)
from trading_orchestrator.brokers.simulated.venue import SimulatedVenue
from trading_orchestrator.errors import Broken, Transient
from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.simulation.coverage import Coverage
from trading_orchestrator.simulation.exposures import LIVE, Exposures, is_humans
from trading_orchestrator.simulation.faults import FaultKind
from trading_orchestrator.simulation.journal_reader import JournalReader
from trading_orchestrator.simulation.meter import Meter
from trading_orchestrator.simulation.wire import VALIDITY_S
from trading_orchestrator.storage.ports import Fact
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.orders.client_id import is_ours
from trading_orchestrator.trading.orders.life import At
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.positions.position import assets_of
from trading_orchestrator.trading.state import State

NOT_FOUNDS_NEEDED = 3
HELD_MOST = 400
ITSELF = "desk"
SLEEPER = "sleeper"
"""The strategy whose orders nobody touches."""
END_TOLD_S = 0.05
"""For so long strategies, projections and the other node are still being told of an order's end."""
KEY_STOPS_S = 0.1
"""From the first refusal of its key until a desk has stopped for good."""
LATCHED = ("killed", "halted", "draining", "unarmed")
"""Modes in which no order leaves."""


class Violation(Broken):
    """An invariant of ORDER_PROTOCOL section 10 does not hold. Facts: invariant."""

    code = "simulation.violation"


@dataclass(frozen=True)
class Terms:
    """What a desk is judged by: its names, its limit (I8), its patience (R4) and its request budget (I10)."""

    desk: str
    account: str
    symbol: str
    max_position_qty: Decimal
    grace_s: float
    budget: BudgetConfig


class Judge:
    """Implements `Witness` for one desk. Raises nothing into the system it watches: `violations` fills instead.

    `under_way` is set by whoever makes the network: the ids whose submit has left and not arrived. `on_order` hears of
    the state of every order of ours that moved.
    """

    def __init__(
        self,
        terms: Terms,
        venue: SimulatedVenue,
        coverage: Coverage,
        *,
        now_s: Callable[[], float],
        violations: list[Violation],
        reader: JournalReader,
        journal_id: str,
    ) -> None:
        self.violations = violations
        self.on_violation: Callable[[], object] = lambda: None
        self.coverage = coverage
        self.sends: dict[str, int] = {}
        self.under_way: Callable[[], set[str]] = set
        self.on_order: list[Callable[[At], object]] = []
        self._ended: deque[tuple[float, str]] = deque()
        self.written_off: set[str] = set()
        self._noted: set[str] = set()
        self._key_refused_s: dict[str, float] = {}
        self._has_strange_trades = False
        self._seen_quarantined: set[str] = set()
        self._terms = terms
        self._venue = venue
        self._lease = f"desk/{terms.desk}"
        self._opened_qty = {balance.asset: balance.total for balance in venue.balances()}
        self._moved_qty: dict[str, Decimal] = {}
        self._transfers: Counter[tuple[str, Decimal]] = Counter()
        self._now_s = now_s
        self._orders: dict[str, NewOrder] = {}
        self._cancels: set[str] = set()
        self._denied_by_venue: set[str] = set()
        self._not_founds: dict[tuple[str, str], list[float]] = {}
        self._sent_s: dict[str, float] = {}
        self._meter = Meter(terms.budget)
        self._exposures = Exposures(terms.symbol)
        venue.on_report.append(self._on_report)
        self.read_anew(reader, journal_id)

    def read_anew(self, reader: JournalReader, journal_id: str) -> None:
        """Judge this journal from here on; what it holds already was judged, or is an earlier copy of what was."""
        terms = self._terms
        # An id that never reached the venue may be given again: a journal put back by hand does not know that it was.
        self.sends = {cl_ord_id: 1 for cl_ord_id in self.sends if self._venue.known(cl_ord_id) is not None}
        self._reader = reader
        self.book = Book(terms.desk, account=terms.account, timeline=journal_id)
        self._epoch = self._seq = 0
        self._intents: dict[tuple[str, int], str] = {}
        self._closed: dict[str, At] = {}
        self._cum: dict[str, Decimal] = {}
        self._booked: dict[str, int] = {}
        self._adjusted: Counter[tuple[str, Decimal]] = Counter()
        self._mode_by = ""
        self._reconciled_epoch = 0
        self._exposures.begin_anew()
        self._silent = True
        self.catch_up()
        self._ended.clear()
        self._silent = False

    def restored(self, reader: JournalReader, journal_id: str) -> None:
        """The journal was put back: judge what it holds from here on."""
        self._has_strange_trades = True
        self._reader.close()
        self.read_anew(reader, journal_id)

    # -- what the wire shows (Witness)

    def sent(self, node: str, order: NewOrder) -> None:
        self.catch_up()
        cl_ord_id = order.cl_ord_id
        self._sent_s[cl_ord_id] = self._now_s()
        self.sends[cl_ord_id] = self.sends.get(cl_ord_id, 0) + 1
        self._demand(self.sends[cl_ord_id] == 1, "I1", f"{cl_ord_id} was sent {self.sends[cl_ord_id]} times")
        self._demand(self._orders.get(cl_ord_id) == order, "I2", f"{cl_ord_id} left without a durable intent")
        self._demand_lease(node, cl_ord_id)
        self._demand(self.book.mode not in LATCHED, "latch", f"{cl_ord_id} left while the desk is {self.book.mode}")
        refused_s = self._key_refused_s.get(node, self._now_s())
        late_s = self._now_s() - refused_s
        self._demand(late_s <= KEY_STOPS_S, "latch", f"{cl_ord_id} left {late_s:.3f} s after the key was refused")
        under_way = {each: self._orders[each] for each in self.under_way() if each in self._orders}
        worst_qty, limit = self._exposures.worst_if_sent(order, under_way), self._terms.max_position_qty
        self._demand(worst_qty <= limit, "I8", f"{order.side.value} exposure may become {worst_qty}, limit {limit}")

    def cancel_sent(self, node: str, cl_ord_id: str) -> None:
        self.catch_up()
        if cl_ord_id in self._noted:  # in an emergency the note stands for the intent, and a claim may cross it
            return
        self._demand(cl_ord_id in self._cancels, "I2", f"a cancel of {cl_ord_id} left without a durable intent")
        self._demand_lease(node, f"a cancel of {cl_ord_id}")

    def cancel_noted(self, cl_ord_id: str) -> None:
        """A node noted a cancel that it could not journal."""
        self._noted.add(cl_ord_id)

    def cancel_waited(self, node: str, cl_ord_id: str, waited_s: float) -> None:
        self._demand(False, "I10", f"{node} kept the cancel of {cl_ord_id} back for {waited_s:.3f} s: no budget")

    def answered(self, node: str, on: str, cl_ord_id: str, outcome: object) -> None:
        if on == "order" and isinstance(outcome, OrderNotFound):
            self._not_founds.setdefault((node, cl_ord_id), []).append(self._now_s())
        if on in ("submit", "cancel") and isinstance(outcome, KeyRefused):
            self._key_refused_s.setdefault(node, self._now_s())
        if on == "submit" and isinstance(outcome, OrderRefused | Transient):
            self._denied_by_venue.add(cl_ord_id)
        if isinstance(outcome, Transient) and outcome.retry_after_s and not isinstance(outcome, BudgetSpent):
            self._meter.banned(node, self._now_s() + outcome.retry_after_s)

    def struck(self, kind: FaultKind, cl_ord_id: str) -> None:
        """Count the fault."""
        self.coverage.faults += 1
        if not cl_ord_id:
            self.met_all(kind)
        elif (state := self.state_of(cl_ord_id)) is not None:
            self.coverage.meet(kind, state)

    def met_all(self, kind: FaultKind) -> None:
        """Note that it met every order of ours for which something is still to come, or whose end is not told yet."""
        for state in self.states_to_meet():
            self.coverage.meet(kind, state)

    def states_to_meet(self) -> list[At]:
        """Return where the orders are that a fault of the whole node would meet now."""
        self.catch_up()
        unfinished = {order.cl_ord_id: order.status for order in self.book.unfinished_orders() if not order.foreign}
        oldest_s = self._now_s() - END_TOLD_S
        while self._ended and self._ended[0][0] < oldest_s:
            self._ended.popleft()
        fresh = {each: self._closed[each] for _, each in self._ended if each in self._closed}
        return list((fresh | unfinished).values())

    def asked(self, node: str) -> None:
        spent = self._meter.count(node, self._now_s())
        self._demand(not spent, "I10", f"{node} {spent}")

    def holder(self) -> str:
        """Return who holds the desk's lease, by its row."""
        return self._reader.holder(self._lease)

    def _demand_lease(self, node: str, what: str) -> None:
        holder = self.holder()
        self._demand(holder == node, "I9", f"{node} sent {what} while {holder} holds the lease")

    # -- what the venue records

    def _on_report(self, report: OrderReport) -> None:
        if is_humans(report):
            self._has_strange_trades |= bool(report.trades)
            return
        self.catch_up()
        self._exposures.heard(report)
        cl_ord_id = report.cl_ord_id
        if report.status in LIVE:
            closed = self._closed.get(cl_ord_id)
            self._demand(closed is None, "I4", f"{cl_ord_id} is live at the venue and {closed} in the journal")
        intended = cl_ord_id in self._orders
        self._demand(intended, "I2", f"the venue has {cl_ord_id}, which the journal never intended")

    def moved(self, asset: str, qty: Decimal) -> None:
        """A human moved money into the account, or out of it."""
        self._transfers[asset, qty] += 1
        self._moved_qty[asset] = self._moved_qty.get(asset, ZERO) + qty

    def venue_position_qty(self) -> Decimal:
        """Return what the account holds beyond its opening and its transfers, by the venue's own balances."""
        base = assets_of(self._terms.symbol)[0]
        held = {balance.asset: balance.total for balance in self._venue.balances()}
        return held.get(base, ZERO) - self._opened_qty.get(base, ZERO) - self._moved_qty.get(base, ZERO)

    # -- what the journal says

    def catch_up(self) -> None:
        """Judge every fact written since the last look."""
        for fact in self._reader.new_facts():
            self._judge_fact(fact)

    def _judge_fact(self, fact: Fact) -> None:
        self._demand(fact.seq == self._seq + 1, "chain", f"seq {fact.seq} follows {self._seq}")
        self._demand(fact.epoch >= self._epoch, "I9", f"{fact.kind} with epoch {fact.epoch} after {self._epoch}")
        self._epoch, self._seq = max(self._epoch, fact.epoch), fact.seq
        body = msgspec.json.decode(fact.body, type=f.KINDS[fact.kind])
        self._before(body, fact)
        try:
            self.book.apply_fact(fact)
        except Broken as error:
            self._demand(False, "I5", f"the journal does not fold at pos {fact.pos}: {error.message}")
            return
        self._after(body)

    def _before(self, body: f.Body, fact: Fact) -> None:
        if isinstance(body, f.OrderIntended):
            self._on_latch(body)
        elif isinstance(body, f.CancelIntended):
            self._cancels.add(body.cl_ord_id)
        elif isinstance(body, f.OrderRefused):
            was_sent = body.cl_ord_id in self._sent_s
            denied = body.cl_ord_id in self._denied_by_venue or not was_sent
            self._demand(denied, "I4", f"{body.cl_ord_id} is refused in the journal, and nobody refused it")
        elif isinstance(body, f.OrderAbandoned):
            self._on_abandoned(body, fact.node)
        elif isinstance(body, f.TradeBooked):
            self._on_booked(body)
        elif isinstance(body, f.AccountAdjusted):
            self._adjusted[body.asset, body.qty] += 1
            moved = self._adjusted[body.asset, body.qty] <= self._transfers[body.asset, body.qty]
            self._demand(moved, "I3", f"{body.qty} {body.asset} are adjusted, and nobody moved them")
        else:
            self._of_the_desk(body, fact)

    def _of_the_desk(self, body: f.Body, fact: Fact) -> None:
        if isinstance(body, f.DeskReconciled):
            if fact.epoch != self._reconciled_epoch:  # it began anew, so the venue takes the key again
                self._key_refused_s.pop(fact.node, None)
            self._reconciled_epoch = fact.epoch
        elif isinstance(body, f.DeskModeChanged):
            self._mode_by = body.by
            if body.mode not in LATCHED:  # a human has looked
                self._key_refused_s.clear()
        elif isinstance(body, f.DeskKillVerified):
            self._demand(not self._exposures.open, "latch", f"verified with {list(self._exposures.open)[:5]} open")

    def _on_latch(self, body: f.OrderIntended) -> None:
        mode = self.book.mode
        self._demand(mode not in LATCHED, "latch", f"{body.order.cl_ord_id} is intended while the desk is {mode}")
        self._demand(self.book.permit.armed, "latch", f"{body.order.cl_ord_id} is intended by a desk without permit")

    def _on_intended(self, body: f.OrderIntended) -> None:
        order, limit = body.order, self._terms.max_position_qty
        key = (body.intent_id, body.generation)
        self._demand(key not in self._intents, "I1", f"intent {key} has a second order")
        self._intents[key] = order.cl_ord_id
        self._orders[order.cl_ord_id] = order
        worst_qty = self._exposures.worst_reserved(self.book, order.side)
        self._demand(
            worst_qty <= limit, "I8", f"{order.side.value} exposure reserved may be {worst_qty}, limit {limit}"
        )
        if self.book.mode == "reduce_only" or self.book.day_loss.reached or self._is_blocked():
            self._demand(worst_qty <= ZERO, "I8", f"{order.cl_ord_id} may add to the position, which may only shrink")
        held = len(self.book.orders())
        self._demand(held <= HELD_MOST, "I10", f"{held} orders are held in memory")

    def _is_blocked(self) -> bool:
        quarantined = any(order.lack is At.QUARANTINED for order in self.book.open_orders())
        return quarantined or self._terms.symbol in self.book.blocked

    def _on_abandoned(self, body: f.OrderAbandoned, node: str) -> None:
        """Rule R4, by the answers that truly reached the node: enough of them, far enough apart, and late enough."""
        cl_ord_id, grace_s = body.cl_ord_id, self._terms.grace_s
        known, under_way = self._venue.known(cl_ord_id), cl_ord_id in self.under_way()
        self._demand(known is None, "I4", f"{cl_ord_id} was abandoned, and the venue has it: {known}")
        self._demand(not under_way, "R4", f"{cl_ord_id} was abandoned while its packet is under way")
        if body.request_pos:
            written_off = cl_ord_id in self.written_off
            self._demand(written_off, "R5", f"{cl_ord_id} was written off, and nobody asked for it")
            return
        told_s = self._not_founds.get((node, cl_ord_id), [])
        enough = len(told_s) >= NOT_FOUNDS_NEEDED and told_s[-1] - told_s[0] >= grace_s
        late_s = self._sent_s.get(cl_ord_id, 0.0) + VALIDITY_S + grace_s
        proved = enough and (told_s[-1] >= late_s or cl_ord_id not in self._sent_s)
        self._demand(proved, "R4", f"{cl_ord_id} was abandoned after not-founds at {told_s}, sent before {late_s}")

    def to_write_off(self) -> list[str]:
        """Return the orders quarantined since the last look that an operator finds nowhere, nor under way.

        A trade that names no order keeps the desk from its proof (F6): it may have been of this one. A human makes
        such trades, and a journal put back on a new timeline knows no owner of older ones. Without either nobody helps.
        """
        self.catch_up()
        found = {order.cl_ord_id for order in self.book.quarantined_orders() if self._has_strange_trades}
        absent = {each for each in found & self._seen_quarantined if self._venue.known(each) is None}
        self._seen_quarantined = found
        self.written_off |= absent - self.under_way()
        return sorted(absent - self.under_way())

    def sleeping(self) -> list[str]:
        """Return the open orders that no strategy will touch."""
        self.catch_up()
        return [order.cl_ord_id for order in self.book.open_orders() if order.strategy == SLEEPER]

    def trades(self) -> bool:
        """Return whether the lease's holder has begun: its reconciliation is in the journal."""
        self.catch_up()
        holder, epoch = self._reader.holder_and_epoch(self._lease)
        return bool(holder) and epoch == self._reconciled_epoch

    def blocked_by(self) -> str:
        """Return why the symbol takes no entries, "" when it does."""
        self.catch_up()
        return self.book.blocked.get(self._terms.symbol, "")

    def is_settled(self) -> bool:
        """Return whether nothing is to come any more, by the journal and by the venue."""
        self.catch_up()
        ours_open = any(not order.foreign for order in self.book.unfinished_orders()) or self._exposures.open
        open_orders = ours_open or self._misheld()
        booked_all = len(self._venue.trades(self._terms.symbol)) == len(self._booked)
        held = {balance.asset: balance.total for balance in self._venue.balances()}
        agree = booked_all and all(self.book.balances().get(asset, ZERO) == total for asset, total in held.items())
        return not open_orders and agree and not self.book.blocked and self.book.mode == "normal"

    def has_untold_fills(self, cl_ord_id: str) -> bool:
        """Return whether the order has filled at the venue, and the journal does not know it yet."""
        self.catch_up()
        known, order = self._venue.known(cl_ord_id), self.book.order(cl_ord_id)
        filled = known is not None and known.status is VenueStatus.FILLED
        return filled and order is not None and not order.is_closed and order.venue_cum == order.cum_qty == ZERO

    def adopted(self) -> list[str]:
        """Return the open orders that no strategy owns: the journal lost them, and found them at the venue (F33)."""
        self.catch_up()
        orders = self.book.open_orders()
        return [order.cl_ord_id for order in orders if not (order.foreign or order.strategy)]

    def to_cancel_by_hand(self) -> list[str]:
        """Return the open orders of strategies, those first whose cancel is on its way."""
        self.catch_up()
        orders = [order for order in self.book.open_orders() if not order.foreign]
        return [order.cl_ord_id for order in orders if any(request.is_open for request in order.requests)]

    def stopped_by_itself(self) -> bool:
        """Return whether the desk, and no operator, decided to stop or only to reduce: somebody must look.

        It does so after a restore (F33), when its key is refused (F40) and at its daily loss.
        """
        self.catch_up()
        by_itself = self.book.mode in ("reduce_only", "halted") and self._mode_by == ITSELF
        return by_itself or bool(self.book.day_loss.reached)

    def may_trade(self) -> bool:
        """Return whether a person has given the permit that the desk needs, or it has not begun yet."""
        self.catch_up()
        return self.book.permit.armed or not self.book.is_opened

    def _on_booked(self, body: f.TradeBooked) -> None:
        trade, found = body.trade, self._venue.trade(body.trade.trade_id)
        self._booked[trade.trade_id] = self._booked.get(trade.trade_id, 0) + 1
        self._demand(self._booked[trade.trade_id] == 1, "I3", f"trade {trade.trade_id} is booked twice")
        self._demand(_is_same(trade, found), "I3", f"trade {trade.trade_id} is not the venue's")
        if found is not None and not is_ours(found.cl_ord_id):
            self._exposures.booked_for_a_human(trade.last_qty * trade.side.sign)

    def _on_evidence(self, report: OrderReport) -> None:
        """What the journal quotes of the venue, the venue has said, or it has said more since."""
        now = self._venue.known(report.cl_ord_id)
        told = now is not None and report.cum_qty <= now.cum_qty
        if now is not None and report.status not in LIVE:
            told = told and report.status is now.status and report.cum_qty == now.cum_qty
        self._demand(told, "I12", f"the journal quotes {report}, the venue has {now}")

    def _after(self, body: f.Body) -> None:
        if isinstance(body, f.OrderIntended):
            self._on_intended(body)
            return
        report = getattr(body, "report", None)
        if isinstance(report, OrderReport):
            self._on_evidence(report)
        order = self._spoken_of(body, report)
        if order is None or order.foreign:
            return
        cl_ord_id = order.cl_ord_id
        self._demand(order.cum_qty >= self._cum.get(cl_ord_id, ZERO), "I5", f"cum_qty of {cl_ord_id} fell")
        self._cum[cl_ord_id] = order.cum_qty
        if order.is_closed and cl_ord_id not in self._closed:
            self._ended.append((self._now_s(), cl_ord_id))
        if not order.is_closed:
            self._closed.pop(cl_ord_id, None)
        else:
            self._closed[cl_ord_id] = order.status
        for look in list(self.on_order):
            look(order.status)
        if not order.is_closed:
            return
        live = cl_ord_id in self._exposures.open
        self._demand(not live, "I4", f"{cl_ord_id} is {order.status.value} in the journal and lives at the venue")

    def _spoken_of(self, body: f.Body, report: OrderReport | None) -> Order | None:
        cl_ord_id: str = getattr(body, "cl_ord_id", "") or (report.cl_ord_id if report is not None else "")
        return self.book.order(cl_ord_id) if cl_ord_id else None

    def state_of(self, cl_ord_id: str) -> At | None:
        """Return where the journal has one of our orders, None when it does not know it."""
        if not is_ours(cl_ord_id):
            return None
        self.catch_up()
        order = self.book.order(cl_ord_id)
        return order.status if order is not None else self._closed.get(cl_ord_id)

    # -- the end

    def at_rest(self) -> None:
        """Judge what must hold once everything has healed and nothing is under way (I3, I6, I7, I11)."""
        self.catch_up()
        trades = self._venue.trades(self._terms.symbol)
        missing = [trade.trade_id for trade in trades if trade.trade_id not in self._booked]
        self._demand(not missing, "I3", f"{len(missing)} venue trades were never booked: {missing[:5]}")
        unfinished = [order for order in self.book.unfinished_orders() if not order.foreign]
        told = [f"{order.cl_ord_id} {order.status.value}" for order in unfinished[:5]]
        self._demand(not unfinished, "I11", f"{len(unfinished)} orders are unsettled after healing: {told}")
        still_open = list(self._exposures.open)
        self._demand(not still_open, "I11", f"open at the venue after healing: {still_open[:5]}")
        misheld = self._misheld()
        self._demand(not misheld, "I4", f"a human's orders, held or open and not both: {misheld[:5]}")
        self._demand(not self.book.blocked, "I11", f"still blocked after healing: {self.book.blocked}")
        self._demand(self.book.mode == "normal", "I11", f"the desk is {self.book.mode} after healing")
        self._compare_sums()
        self._compare_folds()

    def _misheld(self) -> list[str]:
        """Return a human's orders that the venue works and the journal does not hold, or the other way round."""
        at_venue = {each.cl_ord_id for each in self._venue.open_orders([self._terms.symbol]) if is_humans(each)}
        foreign = [order for order in self.book.orders() if order.foreign]
        held = {order.cl_ord_id for order in foreign if not order.is_closed or order.at_risk_qty}
        return sorted(at_venue ^ held)

    def _compare_sums(self) -> None:
        symbol = self._terms.symbol
        position_qty, venues_qty = self.book.position(symbol).qty, self.venue_position_qty()
        self._demand(position_qty == venues_qty, "I3", f"position {position_qty}, the venue's {venues_qty}")
        ours = self.book.balances()
        for balance in self._venue.balances():
            told = ours.get(balance.asset, ZERO)
            self._demand(told == balance.total, "I3", f"{balance.asset}: {told}, the venue's {balance.total}")

    def _compare_folds(self) -> None:
        """A successor that begins at the newest snapshot knows what one knows that begins at the first fact (I6)."""
        snapshot = self._reader.snapshot(self._terms.desk)
        if snapshot is None:
            return
        book = Book.from_snapshot(snapshot)
        book.on_timeline(self.book.timeline)  # as a follower does: a restore between may have minted a new one
        for fact in self._reader.facts_of_stream():
            book.apply_fact(fact)
        same = _state_of(book) == _state_of(self.book)
        self._demand(same, "I6", "the fold from the newest snapshot differs from the fold of all facts")

    def blame(self, invariant: str, sentence: str) -> None:
        """Note a violation that somebody else saw."""
        self._demand(False, invariant, sentence)

    def _demand(self, holds: bool, invariant: str, sentence: str) -> None:
        if not holds and not self._silent:
            at = f"at {self._now_s():.6f} s: {self._terms.desk}: {invariant}: {sentence}"
            self.violations.append(Violation(at, invariant=invariant))
            self.on_violation()

    def close(self) -> None:
        """Look at the journal no more."""
        self._reader.close()

    @property
    def order_count(self) -> int:
        return len(self._orders)

    @property
    def trade_ids(self) -> Sequence[str]:
        return list(self._booked)


def _is_same(trade: TradeReport, found: TradeReport | None) -> bool:
    """A venue may name an execution's order by its own id only."""
    return found is not None and msgspec.structs.replace(trade, cl_ord_id=found.cl_ord_id) == found


def _state_of(book: Book) -> State:
    """Return what a snapshot holds, by its values: a zero that was folded and one left out as a default are equal."""
    return msgspec.json.decode(book.to_snapshot(), type=State)
