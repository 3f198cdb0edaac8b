"""The judge: holds the journal against the venue's own record, all the time and at the end.

It asks no node and believes none. What it knows comes from three places: the facts in the file, the venue's orders
and trades, and the packets on the wire.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from trading_orchestrator.brokers.port import NewOrder, OrderNotFound, OrderRefused, OrderReport, VenueStatus
from trading_orchestrator.brokers.simulated.venue import SimulatedVenue
from trading_orchestrator.errors import Broken, Transient
from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.simulation.coverage import Coverage
from trading_orchestrator.simulation.faults import FaultKind
from trading_orchestrator.simulation.journal_reader import JournalReader
from trading_orchestrator.simulation.wire import VALIDITY_S
from trading_orchestrator.storage.ports import Fact
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.orders.life import At
from trading_orchestrator.trading.positions.position import assets_of

NOT_FOUNDS_NEEDED = 3
REQUESTS_PER_S_MOST = 250
HELD_MOST = 400
_LIVE = (VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED)


class Violation(Broken):
    """An invariant of ORDER_PROTOCOL section 10 does not hold. Facts: invariant."""

    code = "simulation.violation"


class Judge:
    """Implements `Witness`. Raises nothing into the system it watches: `violations` fills instead.

    Args:
        max_position_qty: the desk's limit, which must hold whatever still may fill (I8).
        grace_s: the desk's, for rule R4.
        journal_id: the timeline of the ids.

    `under_way` is set by whoever makes the network: the ids whose submit has left and not arrived.
    """

    def __init__(
        self,
        reader: JournalReader,
        venue: SimulatedVenue,
        *,
        desk: str,
        account: str,
        symbol: str,
        max_position_qty: Decimal,
        grace_s: float,
        now_s: Callable[[], float],
        journal_id: str,
    ) -> None:
        self.violations: list[Violation] = []
        self.on_violation: Callable[[], object] = lambda: None
        self.coverage = Coverage()
        self.faults = 0
        self.book = Book(desk, account=account, timeline=journal_id)
        self.sends: dict[str, int] = {}
        self.under_way: Callable[[], set[str]] = set
        self._reader = reader
        self._venue = venue
        self._stream = f"desk/{desk}"
        self._lease = self._stream
        self._symbol = symbol
        self._max_position_qty = max_position_qty
        self._opened_qty = {balance.asset: balance.total for balance in venue.balances()}
        self._now_s = now_s
        self._epoch = 0
        self._seq = 0
        self._intents: dict[tuple[str, int], str] = {}
        self._orders: dict[str, NewOrder] = {}
        self._cancels: set[str] = set()
        self._denied_by_venue: set[str] = set()
        self._not_founds: dict[tuple[str, str], list[float]] = {}
        self._sent_s: dict[str, float] = {}
        self._grace_s = grace_s
        self._closed: dict[str, At] = {}
        self._booked: dict[str, int] = {}
        self._asked: dict[str, deque[float]] = {}
        self._open_at_venue: dict[str, NewOrder] = {}
        venue.on_report.append(self._on_report)

    # -- what the wire shows (Witness)

    def sent(self, node: str, order: NewOrder) -> None:
        self.catch_up()
        cl_ord_id = order.cl_ord_id
        self._sent_s[cl_ord_id] = self._now_s()
        self.sends[cl_ord_id] = self.sends.get(cl_ord_id, 0) + 1
        self._demand(self.sends[cl_ord_id] == 1, "I1", f"{cl_ord_id} was sent {self.sends[cl_ord_id]} times")
        self._demand(self._orders.get(cl_ord_id) == order, "I2", f"{cl_ord_id} left without a durable intent")
        holder = self._reader.holder(self._lease)
        self._demand(holder == node, "I9", f"{node} sent {cl_ord_id} while {holder} holds the lease")
        self._check_exposure(order)

    def cancel_sent(self, node: str, cl_ord_id: str) -> None:
        self.catch_up()
        self._demand(cl_ord_id in self._cancels, "I2", f"a cancel of {cl_ord_id} left without a durable intent")

    def answered(self, node: str, on: str, cl_ord_id: str, outcome: object) -> None:
        if on == "order" and isinstance(outcome, OrderNotFound):
            self._not_founds.setdefault((node, cl_ord_id), []).append(self._now_s())
        if on == "submit" and isinstance(outcome, OrderRefused | Transient):
            self._denied_by_venue.add(cl_ord_id)

    def struck(self, kind: FaultKind, cl_ord_id: str) -> None:
        """Count the fault; without an id it meets every open order."""
        self.faults += 1
        self.catch_up()
        met = [cl_ord_id] if cl_ord_id else [order.cl_ord_id for order in self.book.open_orders()]
        for each in met:
            state = self.state_of(each)
            if state is not None:
                self.coverage.meet(kind, state)

    def asked(self, node: str) -> None:
        now_s, lately = self._now_s(), self._asked.setdefault(node, deque())
        lately.append(now_s)
        while lately and lately[0] < now_s - 1.0:
            lately.popleft()
        self._demand(len(lately) <= REQUESTS_PER_S_MOST, "I10", f"{node} sent {len(lately)} requests within a second")

    # -- what the venue records

    def _on_report(self, report: OrderReport) -> None:
        self.catch_up()
        cl_ord_id = report.cl_ord_id
        if report.status in _LIVE:
            closed = self._closed.get(cl_ord_id)
            self._demand(closed is None, "I4", f"{cl_ord_id} is live at the venue and {closed} in the journal")
            self._open_at_venue[cl_ord_id] = self._orders.get(cl_ord_id) or _as_sent(report)
        else:
            self._open_at_venue.pop(cl_ord_id, None)
        intended = cl_ord_id in self._orders
        self._demand(intended, "I2", f"the venue has {cl_ord_id}, which the journal never intended")

    def _check_exposure(self, sending: NewOrder) -> None:
        """Position plus whatever may still fill on this order's side, packets under way included (I8)."""
        may_fill = {
            cl_ord_id: self._orders[cl_ord_id].order_qty for cl_ord_id in self.under_way() & self._orders.keys()
        }
        may_fill |= {cl_ord_id: self._leaves(cl_ord_id) for cl_ord_id in self._open_at_venue}
        may_fill[sending.cl_ord_id] = sending.order_qty
        on_side = [qty for each, qty in may_fill.items() if self._orders.get(each, sending).side is sending.side]
        worst_qty = self.venue_position_qty() * sending.side.sign + sum(on_side, ZERO)
        limit = self._max_position_qty
        self._demand(worst_qty <= limit, "I8", f"{sending.side.value} exposure may become {worst_qty}, limit {limit}")

    def _check_reserve(self, intended: NewOrder) -> None:
        """Position plus every order that is not proved closed, added up here and not by the Book (I8)."""
        side = intended.side
        worst_qty = self.book.position(self._symbol).qty * side.sign
        for order in self.book.orders():
            if order.side is side:
                open_qty = ZERO if order.is_closed else order.order_qty - order.cum_qty
                worst_qty += max(open_qty, order.venue_cum - order.cum_qty)
        limit = self._max_position_qty
        self._demand(worst_qty <= limit, "I8", f"{side.value} exposure reserved may be {worst_qty}, limit {limit}")

    def _leaves(self, cl_ord_id: str) -> Decimal:
        report = self._venue.order(self._symbol, cl_ord_id)
        return report.order_qty - report.cum_qty

    def venue_position_qty(self) -> Decimal:
        """Return what the account holds beyond its opening, by the venue's own balances."""
        base = assets_of(self._symbol)[0]
        held = {balance.asset: balance.total for balance in self._venue.balances()}
        return held.get(base, ZERO) - self._opened_qty.get(base, ZERO)

    # -- what the journal says

    def catch_up(self) -> None:
        """Judge every fact written since the last look."""
        for fact in self._reader.new_facts():
            if fact.stream == self._stream:
                self._judge_fact(fact)

    def _judge_fact(self, fact: Fact) -> None:
        self._demand(fact.seq == self._seq + 1, "chain", f"seq {fact.seq} follows {self._seq}")
        self._demand(fact.epoch >= self._epoch, "I9", f"{fact.kind} with epoch {fact.epoch} after {self._epoch}")
        self._epoch, self._seq = max(self._epoch, fact.epoch), fact.seq
        kind = f.KINDS[fact.kind]
        body = msgspec.json.decode(fact.body, type=kind)
        self._before(body, fact)
        try:
            self.book.apply_fact(fact)
        except Broken as error:
            self._demand(False, "I5", f"the journal does not fold at pos {fact.pos}: {error.message}")
            return
        self._after(body)

    def _before(self, body: f.Body, fact: Fact) -> None:
        if isinstance(body, f.OrderIntended):
            self._on_intended(body)
        elif isinstance(body, f.CancelIntended):
            self._cancels.add(body.cl_ord_id)
        elif isinstance(body, f.OrderRefused):
            known = body.cl_ord_id in self._denied_by_venue
            self._demand(known, "I4", f"{body.cl_ord_id} is refused in the journal, and nobody refused it")
        elif isinstance(body, f.OrderAbandoned):
            self._on_abandoned(body.cl_ord_id, fact.node)
        elif isinstance(body, f.TradeBooked):
            self._on_booked(body)

    def _on_intended(self, body: f.OrderIntended) -> None:
        key = (body.intent_id, body.generation)
        self._demand(key not in self._intents, "I1", f"intent {key} has a second order")
        self._intents[key] = body.order.cl_ord_id
        self._orders[body.order.cl_ord_id] = body.order

    def _on_abandoned(self, cl_ord_id: str, node: str) -> None:
        """Rule R4, by the answers that truly reached the node: enough of them, far enough apart, and late enough."""
        told_s = self._not_founds.get((node, cl_ord_id), [])
        enough = len(told_s) >= NOT_FOUNDS_NEEDED and told_s[-1] - told_s[0] >= self._grace_s
        late_s = self._sent_s.get(cl_ord_id, 0.0) + VALIDITY_S + self._grace_s
        proved = enough and (told_s[-1] >= late_s or cl_ord_id not in self._sent_s)
        self._demand(proved, "R4", f"{cl_ord_id} was abandoned after not-founds at {told_s}, sent before {late_s}")

    def _on_booked(self, body: f.TradeBooked) -> None:
        trade = body.trade
        self._booked[trade.trade_id] = self._booked.get(trade.trade_id, 0) + 1
        self._demand(self._booked[trade.trade_id] == 1, "I3", f"trade {trade.trade_id} is booked twice")
        found = self._venue.trades(self._symbol, str(int(trade.trade_id) - 1))
        self._demand(bool(found) and found[0] == trade, "I3", f"trade {trade.trade_id} is not the venue's")

    def _after(self, body: f.Body) -> None:
        if isinstance(body, f.OrderIntended):
            self._check_reserve(body.order)
            return
        cl_ord_id = _order_of(body)
        order = self.book.order(cl_ord_id) if cl_ord_id else None
        if order is None:
            return
        if not order.is_closed:
            self._closed.pop(order.cl_ord_id, None)
            return
        self._closed[order.cl_ord_id] = order.status
        live = order.cl_ord_id in self._open_at_venue
        self._demand(not live, "I4", f"{order.cl_ord_id} is {order.status.value} in the journal and lives at the venue")
        held = len(self.book.orders())
        self._demand(held <= HELD_MOST, "I10", f"{held} orders are held in memory")

    def state_of(self, cl_ord_id: str) -> At | None:
        """Return where the journal has the order, None when it does not know it."""
        order = self.book.order(cl_ord_id)
        return order.status if order is not None else self._closed.get(cl_ord_id)

    # -- the end

    def at_rest(self) -> None:
        """Judge what must hold once everything has healed and nothing is under way (I3, I11)."""
        self.catch_up()
        trades = self._venue.trades(self._symbol)
        missing = [trade.trade_id for trade in trades if trade.trade_id not in self._booked]
        self._demand(not missing, "I3", f"{len(missing)} venue trades were never booked: {missing[:5]}")
        unfinished = self.book.unfinished_orders()
        told = [f"{order.cl_ord_id} {order.status.value}" for order in unfinished[:5]]
        self._demand(not unfinished, "I11", f"{len(unfinished)} orders are unsettled after healing: {told}")
        self._demand(
            not self._open_at_venue, "I11", f"open at the venue after healing: {list(self._open_at_venue)[:5]}"
        )
        self._compare_sums()

    def _compare_sums(self) -> None:
        position_qty = self.book.position(self._symbol).qty
        self._demand(
            position_qty == self.venue_position_qty(),
            "I3",
            f"position {position_qty}, the venue's {self.venue_position_qty()}",
        )
        ours = self.book.balances()
        for balance in self._venue.balances():
            told = ours.get(balance.asset, ZERO)
            self._demand(told == balance.total, "I3", f"{balance.asset}: {told}, the venue's {balance.total}")

    def blame(self, invariant: str, sentence: str) -> None:
        """Note a violation that somebody else saw."""
        self._demand(False, invariant, sentence)

    def _demand(self, holds: bool, invariant: str, sentence: str) -> None:
        if not holds:
            at = f"at {self._now_s():.6f} s: {invariant}: {sentence}"
            self.violations.append(Violation(at, invariant=invariant))
            self.on_violation()

    @property
    def order_count(self) -> int:
        return len(self._orders)

    @property
    def trade_ids(self) -> Sequence[str]:
        return list(self._booked)


def _order_of(body: f.Body) -> str:
    named: str = getattr(body, "cl_ord_id", "")
    report = getattr(body, "report", None)
    return named or (report.cl_ord_id if isinstance(report, OrderReport) else "")


def _as_sent(report: OrderReport) -> NewOrder:
    return NewOrder(report.cl_ord_id, report.symbol, report.side, report.ord_type, report.order_qty, report.px)
