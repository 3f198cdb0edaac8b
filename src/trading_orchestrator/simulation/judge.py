"""The judge: holds the journal against the venue's own record, all the time and at the end.

It asks no node and believes none. What it knows comes from three places: the facts in the file, the venue's orders
and trades, and the packets on the wire. Where each invariant of ORDER_PROTOCOL section 10 is judged:

I1   `sent` (once a client id, over restores too), `_on_intended` (once an intent and generation)
I2   `sent`, `cancel_sent`, and `_on_report` for what reaches the venue whoever sent it
I3   `_on_booked` (once each, as the venue has it), AccountAdjusted in `_before` (nothing is booked away) and
     `at_rest.py` (none missing; position and cash are the venue's)
I4   `_on_report` and `_after` from both sides; `_on_evidence` and `_before`: nobody is quoted who did not speak;
     `_on_abandoned`: the venue has nothing of what is given up, and no packet brings it any more; `at_rest.py`: of a
     human's orders the journal holds those that the venue works, and no others
I5   `_judge_fact` (a fact that contradicts the others does not fold) and `_after` (cum_qty never falls)
I6   `at_rest.py` after every crash, at every await; it folds from the newest snapshot and from the first fact
I7   `at_rest.py` after reports that were lost, doubled, late and overtaken
I8   `sent` by the venue's record, `_on_intended` by the journal's; reduce_only and blocked symbols only reduce
I9   `sent` and `cancel_sent` (who holds the lease), `_judge_fact` (epochs never fall)
I10  `asked` (the budget's own arithmetic, done here again), `cancel_waited`, and memory in `_on_intended`
I11  `at_rest.py`: nothing unsettled or blocked, everybody may trade; `onlooker.py`: who may need a human's help;
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

NOT_FOUNDS_NEEDED = 3
HELD_MOST = 400
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
        self.has_strange_trades = False
        self.terms = terms
        self.venue = venue
        self.lease = f"desk/{terms.desk}"
        self.opened_qty = {balance.asset: balance.total for balance in venue.balances()}
        self.moved_qty: dict[str, Decimal] = {}
        self._transfers: Counter[tuple[str, Decimal]] = Counter()
        self._now_s = now_s
        self._orders: dict[str, NewOrder] = {}
        self._cancels: set[str] = set()
        self._denied_by_venue: set[str] = set()
        self._not_founds: dict[tuple[str, str], list[float]] = {}
        self._sent_s: dict[str, float] = {}
        self._meter = Meter(terms.budget)
        self.exposures = Exposures(terms.symbol)
        venue.on_report.append(self._on_report)
        self.read_anew(reader, journal_id)

    def read_anew(self, reader: JournalReader, journal_id: str) -> None:
        """Judge this journal from here on; what it holds already was judged, or is an earlier copy of what was."""
        terms = self.terms
        # An id that never reached the venue may be given again: a journal put back by hand does not know that it was.
        self.sends = {cl_ord_id: 1 for cl_ord_id in self.sends if self.venue.known(cl_ord_id) is not None}
        self.reader = reader
        self.book = Book(terms.desk, account=terms.account, timeline=journal_id)
        self._epoch = self._seq = 0
        self._intents: dict[tuple[str, int], str] = {}
        self._closed: dict[str, At] = {}
        self._cum: dict[str, Decimal] = {}
        self.booked: dict[str, int] = {}
        self._adjusted: Counter[tuple[str, Decimal]] = Counter()
        self.mode_by = ""
        self.reconciled_epoch = 0
        self.exposures.begin_anew()
        self._silent = True
        self.catch_up()
        self._ended.clear()
        self._silent = False

    def restored(self, reader: JournalReader, journal_id: str) -> None:
        """The journal was put back: judge what it holds from here on."""
        self.has_strange_trades = True
        self.reader.close()
        self.read_anew(reader, journal_id)

    # -- what the wire shows (Witness)

    def sent(self, node: str, order: NewOrder) -> None:
        self.catch_up()
        cl_ord_id = order.cl_ord_id
        self._sent_s[cl_ord_id] = self._now_s()
        self.sends[cl_ord_id] = self.sends.get(cl_ord_id, 0) + 1
        self.demand(self.sends[cl_ord_id] == 1, "I1", "{} was sent {} times", cl_ord_id, self.sends[cl_ord_id])
        self.demand(self._orders.get(cl_ord_id) == order, "I2", "{} left without a durable intent", cl_ord_id)
        self._demand_lease(node, cl_ord_id)
        self.demand(self.book.mode not in LATCHED, "latch", "{} left while the desk is {}", cl_ord_id, self.book.mode)
        refused_s = self._key_refused_s.get(node, self._now_s())
        late_s = self._now_s() - refused_s
        self.demand(late_s <= KEY_STOPS_S, "latch", "{} left {:.3f} s after the key was refused", cl_ord_id, late_s)
        under_way = {each: self._orders[each] for each in self.under_way() if each in self._orders}
        worst_qty, limit = self.exposures.worst_if_sent(order, under_way), self.terms.max_position_qty
        self.demand(worst_qty <= limit, "I8", "{} exposure may become {}, limit {}", order.side.value, worst_qty, limit)

    def cancel_sent(self, node: str, cl_ord_id: str) -> None:
        self.catch_up()
        if cl_ord_id in self._noted:  # in an emergency the note stands for the intent, and a claim may cross it
            return
        self.demand(cl_ord_id in self._cancels, "I2", "a cancel of {} left without a durable intent", cl_ord_id)
        self._demand_lease(node, f"a cancel of {cl_ord_id}")

    def cancel_noted(self, cl_ord_id: str) -> None:
        """A node noted a cancel that it could not journal."""
        self._noted.add(cl_ord_id)

    def cancel_waited(self, node: str, cl_ord_id: str, waited_s: float) -> None:
        self.demand(False, "I10", f"{node} kept the cancel of {cl_ord_id} back for {waited_s:.3f} s: no budget")

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
        self.demand(not spent, "I10", "{} {}", node, spent)

    def holder(self) -> str:
        """Return who holds the desk's lease, by its row."""
        return self.reader.holder(self.lease)

    def _demand_lease(self, node: str, what: str) -> None:
        holder = self.holder()
        self.demand(holder == node, "I9", "{} sent {} while {} holds the lease", node, what, holder)

    # -- what the venue records

    def _on_report(self, report: OrderReport) -> None:
        if is_humans(report):
            self.has_strange_trades |= bool(report.trades)
            return
        self.catch_up()
        self.exposures.heard(report)
        cl_ord_id = report.cl_ord_id
        if report.status in LIVE:
            closed = self._closed.get(cl_ord_id)
            self.demand(closed is None, "I4", "{} is live at the venue and {} in the journal", cl_ord_id, closed)
        intended = cl_ord_id in self._orders
        self.demand(intended, "I2", "the venue has {}, which the journal never intended", cl_ord_id)

    def moved(self, asset: str, qty: Decimal) -> None:
        """A human moved money into the account, or out of it."""
        self._transfers[asset, qty] += 1
        self.moved_qty[asset] = self.moved_qty.get(asset, ZERO) + qty

    # -- what the journal says

    def catch_up(self) -> None:
        """Judge every fact written since the last look."""
        for fact in self.reader.new_facts():
            self._judge_fact(fact)

    def _judge_fact(self, fact: Fact) -> None:
        self.demand(fact.seq == self._seq + 1, "chain", "seq {} follows {}", fact.seq, self._seq)
        self.demand(fact.epoch >= self._epoch, "I9", "{} with epoch {} after {}", fact.kind, fact.epoch, self._epoch)
        self._epoch, self._seq = max(self._epoch, fact.epoch), fact.seq
        body = msgspec.json.decode(fact.body, type=f.KINDS[fact.kind])
        self._before(body, fact)
        try:
            self.book.apply_fact(fact, body)
        except Broken as error:
            self.demand(False, "I5", f"the journal does not fold at pos {fact.pos}: {error.message}")
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
            self.demand(denied, "I4", "{} is refused in the journal, and nobody refused it", body.cl_ord_id)
        elif isinstance(body, f.OrderAbandoned):
            self._on_abandoned(body, fact.node)
        elif isinstance(body, f.TradeBooked):
            self._on_booked(body)
        elif isinstance(body, f.AccountAdjusted):
            self._adjusted[body.asset, body.qty] += 1
            moved = self._adjusted[body.asset, body.qty] <= self._transfers[body.asset, body.qty]
            self.demand(moved, "I3", "{} {} are adjusted, and nobody moved them", body.qty, body.asset)
        else:
            self._of_the_desk(body, fact)

    def _of_the_desk(self, body: f.Body, fact: Fact) -> None:
        if isinstance(body, f.DeskReconciled):
            if body.trigger != "balances":  # it began anew, so the venue takes the key again
                self._key_refused_s.pop(fact.node, None)
            self.reconciled_epoch = fact.epoch
        elif isinstance(body, f.DeskModeChanged):
            self.mode_by = body.by
            if body.mode not in LATCHED:  # a human has looked
                self._key_refused_s.clear()
        elif isinstance(body, f.DeskKillVerified):
            self.demand(not self.exposures.open, "latch", "verified with {} open", list(self.exposures.open)[:5])

    def _on_latch(self, body: f.OrderIntended) -> None:
        mode = self.book.mode
        self.demand(mode not in LATCHED, "latch", "{} is intended while the desk is {}", body.order.cl_ord_id, mode)
        self.demand(self.book.permit.armed, "latch", "{} is intended by a desk without permit", body.order.cl_ord_id)

    def _on_intended(self, body: f.OrderIntended) -> None:
        order, limit = body.order, self.terms.max_position_qty
        key = (body.intent_id, body.generation)
        self.demand(key not in self._intents, "I1", "intent {} has a second order", key)
        self._intents[key] = order.cl_ord_id
        self._orders[order.cl_ord_id] = order
        worst_qty = self.exposures.worst_reserved(self.book, order.side)
        self.demand(
            worst_qty <= limit, "I8", "{} exposure reserved may be {}, limit {}", order.side.value, worst_qty, limit
        )
        if self.book.mode == "reduce_only" or self.book.day_loss.reached or self._is_blocked():
            self.demand(worst_qty <= ZERO, "I8", "{} may add to the position, which may only shrink", order.cl_ord_id)
        held = len(self.book.orders())
        self.demand(held <= HELD_MOST, "I10", "{} orders are held in memory", held)

    def _is_blocked(self) -> bool:
        quarantined = any(order.lack is At.QUARANTINED for order in self.book.open_orders())
        return quarantined or self.terms.symbol in self.book.blocked

    def _on_abandoned(self, body: f.OrderAbandoned, node: str) -> None:
        """Rule R4, by the answers that truly reached the node: enough of them, far enough apart, and late enough."""
        cl_ord_id, grace_s = body.cl_ord_id, self.terms.grace_s
        known, under_way = self.venue.known(cl_ord_id), cl_ord_id in self.under_way()
        self.demand(known is None, "I4", "{} was abandoned, and the venue has it: {}", cl_ord_id, known)
        self.demand(not under_way, "R4", "{} was abandoned while its packet is under way", cl_ord_id)
        if body.request_pos:
            written_off = cl_ord_id in self.written_off
            self.demand(written_off, "R5", "{} was written off, and nobody asked for it", cl_ord_id)
            return
        told_s = self._not_founds.get((node, cl_ord_id), [])
        enough = len(told_s) >= NOT_FOUNDS_NEEDED and told_s[-1] - told_s[0] >= grace_s
        late_s = self._sent_s.get(cl_ord_id, 0.0) + VALIDITY_S + grace_s
        proved = enough and (told_s[-1] >= late_s or cl_ord_id not in self._sent_s)
        self.demand(proved, "R4", "{} was abandoned after not-founds at {}, sent before {}", cl_ord_id, told_s, late_s)

    def has_untold_fills(self, cl_ord_id: str) -> bool:
        """Return whether the order has filled at the venue, and the journal does not know it yet."""
        self.catch_up()
        known, order = self.venue.known(cl_ord_id), self.book.order(cl_ord_id)
        filled = known is not None and known.status is VenueStatus.FILLED
        return filled and order is not None and not order.is_closed and order.venue_cum == order.cum_qty == ZERO

    def _on_booked(self, body: f.TradeBooked) -> None:
        trade, found = body.trade, self.venue.trade(body.trade.trade_id)
        self.booked[trade.trade_id] = self.booked.get(trade.trade_id, 0) + 1
        self.demand(self.booked[trade.trade_id] == 1, "I3", "trade {} is booked twice", trade.trade_id)
        self.demand(_is_same(trade, found), "I3", "trade {} is not the venue's", trade.trade_id)
        if found is not None and not is_ours(found.cl_ord_id):
            self.exposures.booked_for_a_human(trade.last_qty * trade.side.sign)

    def _on_evidence(self, report: OrderReport) -> None:
        """What the journal quotes of the venue, the venue has said, or it has said more since."""
        now = self.venue.known(report.cl_ord_id)
        told = now is not None and report.cum_qty <= now.cum_qty
        if now is not None and report.status not in LIVE:
            told = told and report.status is now.status and report.cum_qty == now.cum_qty
        self.demand(told, "I12", "the journal quotes {}, the venue has {}", report, now)

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
        self.demand(order.cum_qty >= self._cum.get(cl_ord_id, ZERO), "I5", "cum_qty of {} fell", cl_ord_id)
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
        live = cl_ord_id in self.exposures.open
        self.demand(not live, "I4", "{} is {} in the journal and lives at the venue", cl_ord_id, order.status.value)

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

    # -- the verdict

    def blame(self, invariant: str, sentence: str) -> None:
        """Note a violation that somebody else saw."""
        self.demand(False, invariant, sentence)

    def demand(self, holds: bool, invariant: str, sentence: str, *of: object) -> None:
        """Note a violation unless it holds.

        Args:
            of: what the braces of the sentence stand for: most demands are met, and nobody reads their sentences.
        """
        if not holds and not self._silent:
            told = sentence.format(*of) if of else sentence
            at = f"at {self._now_s():.6f} s: {self.terms.desk}: {invariant}: {told}"
            self.violations.append(Violation(at, invariant=invariant))
            self.on_violation()

    def close(self) -> None:
        """Look at the journal no more."""
        self.reader.close()

    @property
    def order_count(self) -> int:
        return len(self._orders)

    @property
    def trade_ids(self) -> Sequence[str]:
        return list(self.booked)


def _is_same(trade: TradeReport, found: TradeReport | None) -> bool:
    """A venue may name an execution's order by its own id only."""
    return found is not None and msgspec.structs.replace(trade, cl_ord_id=found.cl_ord_id) == found
