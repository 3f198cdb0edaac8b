"""A play between a desk and a venue: moves in, evidence through the desk's own functions, facts out."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from hypothesis import strategies as st

from tests.conformance.desk_journal import DeskJournal
from trading_orchestrator.brokers.port import (
    CancelRefused,
    NewOrder,
    NoAnswer,
    OrderRefused,
    OrderReport,
    OrdType,
    Side,
    TradeReport,
    VenueStatus,
)
from trading_orchestrator.market.port import Quote
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.orders import amends, answers, evidence
from trading_orchestrator.trading.orders.client_id import cl_ord_id, request_id
from trading_orchestrator.trading.risk.check import check
from trading_orchestrator.trading.risk.limits import RiskLimits

SYMBOL = "BASE/QUOTE"
QUOTE = Quote(
    SYMBOL, bid_px=Decimal(10), bid_qty=Decimal(1), ask_px=Decimal(10), ask_qty=Decimal(1), at_ns=0, received_ns=0
)
LIMITS = RiskLimits(max_order_qty=Decimal(20), max_position_qty=Decimal(30), max_open_orders=8, max_orders_per_s=1_000)

HONEST = (
    "submit",
    "ack",
    "trade",
    "cancel",
    "end",
    "doubt",
    "refuse",
    "reject_cancel",
    "found",
    "restart",
    "quarantine",
)
DISHONEST = ("late", "hole", "infer", "real", "bust", "correct", "replace", "replaced", "overfill", "foreign", "absent")

Move = tuple[str, int, int]


def moves(*kinds: str) -> st.SearchStrategy[list[Move]]:
    """Return lists of moves: what happens, to which order, and how much of it."""
    return st.lists(st.tuples(st.sampled_from(kinds), st.integers(0, 9), st.integers(1, 20)), max_size=40)


@dataclass
class Placed:
    """One order as the venue sees it."""

    cl_ord_id: str
    side: Side
    qty: Decimal
    is_ours: bool = True
    is_open: bool = True
    trades: dict[str, TradeReport] = field(default_factory=dict)
    untold: list[TradeReport] = field(default_factory=list)

    @property
    def cum(self) -> Decimal:
        return sum((trade.last_qty for trade in self.trades.values()), Decimal(0))


class Play:
    """Plays moves; a move that makes no sense at the time does nothing."""

    def __init__(self) -> None:
        self.journal = DeskJournal(doubled=False)
        self.journal.ask_venue = self.asked
        self.placed: list[Placed] = []
        self.trade_count = 0
        self.has_taken_back = False
        opened = f.AccountOpened(
            account="case", balances={"BASE": Decimal(100), "QUOTE": Decimal(1000)}, trade_cursor={}
        )
        self.journal.record(opened)

    def move(self, move: Move) -> None:
        kind, which, amount = move
        self.journal.now_ns += 1_000
        if kind in ("submit", "foreign", "restart"):
            getattr(self, kind)(amount)
        elif self.placed:
            getattr(self, kind)(self.placed[which % len(self.placed)], amount)

    def submit(self, amount: int) -> None:
        book = self.journal.book
        intent_id = book.next_intent_id("s")
        order = NewOrder(
            cl_ord_id=cl_ord_id("case", "line", intent_id, 0),
            symbol=SYMBOL,
            side=Side.BUY if amount % 2 else Side.SELL,
            ord_type=OrdType.LIMIT,
            order_qty=Decimal(amount),
            px=Decimal(10),
        )
        if check(order, book, QUOTE, LIMITS, self.journal.now_ns) is not None:
            return
        body = f.OrderIntended(
            intent_id=intent_id, generation=0, strategy="s", order=order, reserved_notional=order.order_qty * 10
        )
        self.journal.record(body)
        self.placed.append(Placed(order.cl_ord_id, order.side, order.order_qty))

    def foreign(self, amount: int) -> None:
        placed = Placed(f"human-{len(self.placed)}", Side.BUY, Decimal(amount), is_ours=False)
        self.placed.append(placed)
        self.tell(placed, VenueStatus.NEW)

    def restart(self, amount: int) -> None:
        self.journal.crash()

    def report(self, placed: Placed, status: VenueStatus, **more: Any) -> OrderReport:
        said: dict[str, Any] = {
            "symbol": SYMBOL,
            "cl_ord_id": placed.cl_ord_id,
            "venue_order_id": f"V{self.placed.index(placed)}",
            "status": status,
            "side": placed.side,
            "ord_type": OrdType.LIMIT,
            "order_qty": placed.qty,
            "px": Decimal(10),
            "cum_qty": placed.cum,
            "at_ns": self.journal.now_ns,
            "source": "stream",
        }
        return OrderReport(**(said | more))

    def tell(self, placed: Placed, status: VenueStatus, **more: Any) -> None:
        report = self.report(placed, status, **more)
        self.journal.hear(lambda book, known: evidence.of_report(book, report, known=known))

    def asked(self, cl_ord_id: str) -> None:
        """The desk asks for one order: the venue tells what it is."""
        placed = next(placed for placed in self.placed if placed.cl_ord_id == cl_ord_id)
        if placed.is_open and placed.trades:
            self.tell(placed, VenueStatus.PARTIALLY_FILLED, source="query")

    def new_trade(self, placed: Placed, qty: Decimal, px: Decimal) -> TradeReport:
        self.trade_count += 1
        trade = TradeReport(
            symbol=SYMBOL,
            trade_id=str(self.trade_count),
            venue_order_id=f"V{self.placed.index(placed)}",
            cl_ord_id="" if self.trade_count % 3 == 0 else placed.cl_ord_id,
            side=placed.side,
            last_qty=qty,
            last_px=px,
            fee=Decimal("0.01"),
            fee_asset=("BASE", "QUOTE", "OTHER")[self.trade_count % 3],
            at_ns=self.journal.now_ns,
        )
        placed.trades[trade.trade_id] = trade
        return trade

    def hear_trade(self, trade: TradeReport) -> None:
        self.journal.hear(partial(_of_trade, trade))

    def ack(self, placed: Placed, amount: int) -> None:
        if placed.is_open:
            self.tell(placed, VenueStatus.PARTIALLY_FILLED if placed.cum else VenueStatus.NEW)

    def trade(self, placed: Placed, amount: int) -> None:
        qty = min(Decimal(amount), placed.qty - placed.cum)
        if placed.is_open and qty > 0:
            self.ack(placed, amount)
            self.hear_trade(self.new_trade(placed, qty, Decimal(9 + amount % 3)))

    def cancel(self, placed: Placed, amount: int) -> None:
        order = self.journal.book.order(placed.cl_ord_id)
        if order is not None and not order.is_closed and placed.is_ours:
            made = request_id(order.cl_ord_id, order.request_count + 1)
            self.journal.record(f.CancelIntended(cl_ord_id=order.cl_ord_id, request_id=made))

    def reject_cancel(self, placed: Placed, amount: int) -> None:
        order = self.journal.book.order(placed.cl_ord_id)
        for request in order.requests if order is not None else ():
            error = CancelRefused("no", venue_code="-2011", text="")
            self.journal.hear(partial(_of_cancel_failure, placed.cl_ord_id, request.request_id, error))

    def end(self, placed: Placed, amount: int) -> None:
        if placed.is_open:
            placed.is_open = False
            ends = (VenueStatus.CANCELED, VenueStatus.EXPIRED, VenueStatus.REJECTED)
            self.tell(placed, VenueStatus.FILLED if placed.cum == placed.qty else ends[amount % 3])

    def doubt(self, placed: Placed, amount: int) -> None:
        self._submit_fails(placed, NoAnswer("time-out"))

    def refuse(self, placed: Placed, amount: int) -> None:
        order = self.journal.book.order(placed.cl_ord_id)
        if order is not None and not order.accepted and not placed.trades:
            placed.is_open = False
            self._submit_fails(placed, OrderRefused("no", venue_code="-2010", text="no funds"))

    def _submit_fails(self, placed: Placed, error: Exception) -> None:
        self.journal.hear(lambda book, known: answers.of_submit_failure(book, placed.cl_ord_id, error))

    def found(self, placed: Placed, amount: int) -> None:
        if placed.is_open:
            self.tell(placed, VenueStatus.NEW, source="query")

    def quarantine(self, placed: Placed, amount: int) -> None:
        self.journal.hear(lambda book, known: answers.of_budget_spent(book, placed.cl_ord_id, "5 min"))

    # -- what breaks promises, and what mends it

    def absent(self, placed: Placed, amount: int) -> None:
        self.journal.hear(lambda book, known: answers.of_absence_proof(book, placed.cl_ord_id, ["asked"]))

    def late(self, placed: Placed, amount: int) -> None:
        if not placed.is_open and placed.cum < placed.qty:
            self.hear_trade(self.new_trade(placed, min(Decimal(amount), placed.qty - placed.cum), Decimal(10)))

    def overfill(self, placed: Placed, amount: int) -> None:
        if placed.is_open:
            self.hear_trade(self.new_trade(placed, placed.qty - placed.cum + 1, Decimal(10)))

    def hole(self, placed: Placed, amount: int) -> None:
        qty = min(Decimal(amount), placed.qty - placed.cum)
        if placed.is_open and qty > 0:
            placed.untold.append(self.new_trade(placed, qty, Decimal(11)))
            self.tell(placed, VenueStatus.PARTIALLY_FILLED)

    def infer(self, placed: Placed, amount: int) -> None:
        self.journal.hear(
            lambda book, known: amends.of_hole_past_grace(
                book, placed.cl_ord_id, px=Decimal(10), at_ns=self.journal.now_ns
            )
        )

    def real(self, placed: Placed, amount: int) -> None:
        while placed.untold:
            self.hear_trade(placed.untold.pop())

    def bust(self, placed: Placed, amount: int) -> None:
        told = [trade for trade in placed.trades.values() if trade not in placed.untold]
        if told and not placed.untold:
            gone = told[amount % len(told)]
            del placed.trades[gone.trade_id]
            self.has_taken_back = True
            self.journal.hear(
                lambda book, known: amends.of_bust(book, symbol=SYMBOL, trade_id=gone.trade_id, known=known)
            )

    def correct(self, placed: Placed, amount: int) -> None:
        told = [trade for trade in placed.trades.values() if trade not in placed.untold]
        if told and not placed.untold:
            was = told[amount % len(told)]
            self.has_taken_back = True
            self.journal.hear(
                lambda book, known: amends.of_correction(
                    book,
                    symbol=SYMBOL,
                    trade_id=was.trade_id,
                    last_qty=was.last_qty / 2,
                    last_px=Decimal(12),
                    known=known,
                )
            )
            after = {"last_qty": was.last_qty / 2, "last_px": Decimal(12)}
            placed.trades[was.trade_id] = TradeReport(**({k: getattr(was, k) for k in was.__struct_fields__} | after))

    def replace(self, placed: Placed, amount: int) -> None:
        order = self.journal.book.order(placed.cl_ord_id)
        if order is not None and not order.is_closed and placed.is_ours and not any(r.is_open for r in order.requests):
            made = request_id(order.cl_ord_id, order.request_count + 1)
            body = f.ReplaceIntended(
                cl_ord_id=order.cl_ord_id, request_id=made, order_qty=Decimal(amount), px=Decimal(10)
            )
            self.journal.record(body)

    def replaced(self, placed: Placed, amount: int) -> None:
        order = self.journal.book.order(placed.cl_ord_id)
        asked = [r for r in order.requests if r.is_open and r.order_qty is not None] if order is not None else []
        if placed.is_open and asked:
            placed.qty = max(asked[-1].order_qty or placed.qty, placed.cum)
            self.tell(placed, VenueStatus.NEW, cl_ord_id=asked[-1].request_id)


def _of_trade(trade: TradeReport, book: Any, known: Any) -> Any:
    return evidence.of_trade(book, trade, source="stream", known=known)


def _of_cancel_failure(cl: str, made: str, error: Exception, book: Any, known: Any) -> Any:
    return answers.of_cancel_failure(book, cl, made, error)
