"""Drives order-lifecycle cases: events become broker-port messages and decisions; statuses are only read.

A case's event is put into the words of the broker port and handed to the same functions the desk uses.
The driver keeps a venue of its own (`Venue`: what was sent to it and what it has told) to fill in what a
message carries besides its point. It knows no case id, sets no status and makes no use of expectations,
but for one: a `restated` event names its new quantity nowhere else than in `order_qty`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from tests.conformance.asking_desk import ask_until_settled
from tests.conformance.desk_journal import DeskJournal
from trading_orchestrator.brokers.port import (
    CancelRefused,
    DuplicateOrder,
    NewOrder,
    NoAnswer,
    OrderRefused,
    OrderReport,
    OrdType,
    Side,
    TimeInForce,
    TradeReport,
    VenueStatus,
)
from trading_orchestrator.errors import Refused
from trading_orchestrator.market.port import Quote
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.fold_orders import IntentTaken
from trading_orchestrator.trading.orders import amends, answers, evidence
from trading_orchestrator.trading.orders.client_id import cl_ord_id, request_id
from trading_orchestrator.trading.orders.finding import Finding, Known
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.orders.requests import RequestKind
from trading_orchestrator.trading.risk.check import check
from trading_orchestrator.trading.risk.limits import RiskLimits

SYMBOL = "BASE/QUOTE"
PX = Decimal(50)
Step = Mapping[str, Any]


@dataclass
class Venue:
    """What the other side of one order knows and has said."""

    name: str
    order_qty: Decimal
    venue_order_id: str
    is_ours: bool = True
    has_answered: bool = False
    told_cum: Decimal = Decimal(0)
    trades: dict[str, TradeReport] = field(default_factory=dict)
    said: VenueStatus = VenueStatus.NEW

    @property
    def traded(self) -> Decimal:
        return sum((trade.last_qty for trade in self.trades.values()), Decimal(0))

    @property
    def cum(self) -> Decimal:
        return max(self.told_cum, self.traded)


class Driver:
    """Plays one case against a Book."""

    def __init__(self, case: Mapping[str, Any], *, doubled: bool = False) -> None:
        self.case = case
        self.journal = DeskJournal(doubled=doubled)
        self.ids: dict[str, str] = {}
        self.asked_qty: dict[str, Decimal] = {}
        self.venues: dict[str, Venue] = {}
        self.exec_ids: dict[str, str] = {}
        self.trade_count = 0

    def play(self, step: Step) -> None:
        """Let one event happen."""
        self.journal.now_ns += 1_000_000_000
        getattr(self, f"on_{step['event']}")(step)

    def shown(self, step: Step) -> Order | None:
        """Return the order this step is about."""
        return self.journal.book.order(self._order_id(step))

    # -- who is meant

    def _order_id(self, step: Step) -> str:
        name: str = step.get("orig") or step["cl"]
        order = self.journal.book.order(self.ids.get(name, name))
        return order.cl_ord_id if order is not None else self.ids.get(name, name)

    def _venue(self, step: Step) -> Venue:
        return self.venues[self._order_id(step)]

    def _report(self, step: Step, status: VenueStatus, **more: Any) -> OrderReport:
        venue = self._venue(step)
        venue.has_answered, venue.said = True, status
        said = {
            "symbol": SYMBOL,
            "cl_ord_id": self._order_id(step) if venue.is_ours else venue.name,
            "venue_order_id": step.get("venue_order_id", venue.venue_order_id),
            "status": status,
            "side": Side.BUY,
            "ord_type": OrdType.LIMIT,
            "order_qty": venue.order_qty,
            "px": PX,
            "cum_qty": venue.cum,
            "at_ns": self.journal.now_ns,
            "source": "stream",
            "text": step.get("reason", ""),
        }
        return OrderReport(**(said | more))

    def _tell(self, report: OrderReport) -> Finding:
        return self.journal.hear(lambda book, known: evidence.of_report(book, report, known=known))

    def _say(self, step: Step, status: VenueStatus, **more: Any) -> None:
        self._tell(self._report(step, status, **more))

    # -- what we decide

    def on_send_new(self, step: Step) -> None:
        order = self._new_order(step)
        intent = f.OrderIntended(
            intent_id=step["cl"], generation=0, strategy="s", order=order, reserved_notional=order.order_qty * PX
        )
        try:
            self.journal.record(intent)
        except IntentTaken:
            return  # the same intent is never sent a second time
        self.venues[order.cl_ord_id] = Venue(step["cl"], order.order_qty, f"V-{step['cl']}")

    on_persist_intent = on_send_new

    def _new_order(self, step: Step) -> NewOrder:
        self.ids[step["cl"]] = cl_ord_id("case", "line", step["cl"], 0)
        return NewOrder(
            cl_ord_id=self.ids[step["cl"]],
            symbol=SYMBOL,
            side=Side.BUY,
            ord_type=OrdType.LIMIT,
            order_qty=Decimal(str(self.case["initial_order_qty"])),
            px=PX,
            # FIX: an order without a TimeInForce is a day order; only the cases grouped `gtc` are not.
            time_in_force=TimeInForce(step.get("tif", "gtc" if self.case.get("group") == "gtc" else "day").lower()),
        )

    def on_risk_deny(self, step: Step) -> None:
        order = self._new_order(step)
        quote = Quote(SYMBOL, bid_px=PX, bid_qty=PX, ask_px=PX, ask_qty=PX, at_ns=0, received_ns=0)
        limits = RiskLimits(max_order_qty=order.order_qty / 2)
        refusal = check(order, self.journal.book, quote, limits, self.journal.now_ns)
        if refusal is not None:
            body = f.OrderDenied(
                intent_id=step["cl"], generation=0, strategy="s", order=order, code=refusal.rule, text=refusal.message
            )
            self.journal.record(body)

    def on_send_cancel(self, step: Step) -> None:
        made = self._request(step)
        self.journal.record(f.CancelIntended(cl_ord_id=self._order_id(step), request_id=made))

    def on_send_replace(self, step: Step) -> None:
        made = self._request(step)
        self.asked_qty[made] = Decimal(str(step["new_qty"]))
        body = f.ReplaceIntended(cl_ord_id=self._order_id(step), request_id=made, order_qty=self.asked_qty[made], px=PX)
        self.journal.record(body)

    def _request(self, step: Step) -> str:
        order = self.shown(step)
        assert order is not None
        self.ids[step["cl"]] = request_id(order.cl_ord_id, order.request_count + 1)
        return self.ids[step["cl"]]

    # -- what the venue says

    def on_ack_new(self, step: Step) -> None:
        self._venue(step).venue_order_id = step.get("venue_order_id", self._venue(step).venue_order_id)
        self._say(step, VenueStatus.NEW)

    def on_reject_new(self, step: Step) -> None:
        """Before any word of the venue it is the answer to our submit, after one it is a report."""
        if self._venue(step).has_answered:
            self._say(step, VenueStatus.REJECTED)
        else:
            self._submit_fails(step, OrderRefused("no", venue_code="-2010", text=step.get("reason", "")))

    def on_reject_duplicate(self, step: Step) -> None:
        self._submit_fails(step, DuplicateOrder("Duplicate order sent."))

    def _submit_fails(self, step: Step, error: Exception) -> None:
        self.journal.hear(lambda book, known: answers.of_submit_failure(book, self._order_id(step), error))

    def on_pending_cancel(self, step: Step) -> None:
        self._say(step, VenueStatus.PENDING_CANCEL, cl_ord_id=self.ids[step["cl"]])

    def on_pending_replace(self, step: Step) -> None:
        self._say(step, VenueStatus.PENDING_REPLACE, cl_ord_id=self.ids[step["cl"]])

    def on_cancel_ack(self, step: Step) -> None:
        self._say(step, VenueStatus.CANCELED)

    def on_cancel_reject(self, step: Step) -> None:
        error = CancelRefused("no", venue_code="-2011", text=step.get("reason", ""))
        self._request_fails(step, error)

    def on_replace_ack(self, step: Step) -> None:
        venue, made = self._venue(step), self.ids[step["cl"]]
        venue.order_qty = self.asked_qty[made]
        venue.venue_order_id = step.get("venue_order_id", venue.venue_order_id)
        self._say(step, VenueStatus.NEW, cl_ord_id=made)

    def on_replace_reject(self, step: Step) -> None:
        self._request_fails(step, Refused("no", venue_code="", text=step.get("reason", "")))

    def _request_fails(self, step: Step, error: Exception) -> None:
        made = self.ids[step["cl"]]
        order = self.shown(step)
        request = order.request(made) if order is not None else None
        is_replace = request is not None and request.kind is RequestKind.REPLACE
        fails = answers.of_replace_failure if is_replace else answers.of_cancel_failure
        self.journal.hear(lambda book, known: fails(book, self._order_id(step), made, error))

    def on_timeout(self, step: Step) -> None:
        if "orig" in step:
            self._request_fails(step, NoAnswer("time-out"))
        else:
            self._submit_fails(step, NoAnswer("time-out"))

    def on_fill(self, step: Step) -> None:
        venue = self._venue(step)
        qty = Decimal(str(step.get("raw_last", step.get("last", 0))))
        trade = self._trade(step, qty)
        venue.trades[trade.trade_id] = trade
        if "venue_cum" in step:
            venue.told_cum = max(venue.told_cum, Decimal(str(step["venue_cum"])))
            self._say(step, VenueStatus.PARTIALLY_FILLED, trades=(trade,))
        else:
            self._trades([trade], "stream")

    def _trade(self, step: Step, qty: Decimal) -> TradeReport:
        """A duplicate repeats the last frame of its size, if there was one; otherwise each fill is a trade."""
        venue, name = self._venue(step), str(step["cl"])
        same = [trade for trade in venue.trades.values() if trade.last_qty == qty]
        if step.get("exec_id") in self.exec_ids and self.exec_ids[step["exec_id"]] in venue.trades:
            return venue.trades[self.exec_ids[step["exec_id"]]]
        if step.get("duplicate") and "exec_id" not in step and same:
            return same[-1]
        self.trade_count += 1
        trade_id = str(self.trade_count)
        if "exec_id" in step:
            self.exec_ids[step["exec_id"]] = trade_id
        return TradeReport(
            symbol=SYMBOL,
            trade_id=trade_id,
            venue_order_id=venue.venue_order_id,
            cl_ord_id=self.ids.get(name, name),
            side=Side.BUY,
            last_qty=qty,
            last_px=Decimal(str(step.get("px", PX))),
            fee=Decimal(0),
            fee_asset="",
            at_ns=self.journal.now_ns,
        )

    def _trades(self, trades: list[TradeReport], source: str) -> None:
        for trade in trades:
            self.journal.hear(partial(evidence_of_trade, trade, source))

    def on_bust(self, step: Step) -> None:
        venue, trade_id = self._venue(step), self.exec_ids[step["ref"]]
        gone = venue.trades.pop(trade_id, None)
        if gone is not None:
            venue.told_cum = max(venue.told_cum - gone.last_qty, Decimal(0))
        self.journal.hear(lambda book, known: amends.of_bust(book, symbol=SYMBOL, trade_id=trade_id, known=known))

    def on_correct(self, step: Step) -> None:
        venue, trade_id = self._venue(step), self.exec_ids[step["ref"]]
        was = venue.trades[trade_id]
        qty = Decimal(str(step.get("last", was.last_qty)))
        px = Decimal(str(step["px"])) if "px" in step else None
        venue.trades[trade_id] = msgspec.structs.replace(was, last_qty=qty, last_px=px or was.last_px)
        if "exec_id" in step:
            self.exec_ids[step["exec_id"]] = trade_id
        self.journal.hear(
            lambda book, known: amends.of_correction(
                book, symbol=SYMBOL, trade_id=trade_id, last_qty=qty, last_px=px, known=known
            )
        )

    def on_done_for_day(self, step: Step) -> None:
        self._say(step, VenueStatus.DONE_FOR_DAY)

    def on_suspended(self, step: Step) -> None:
        self._say(step, VenueStatus.SUSPENDED)

    def on_stopped(self, step: Step) -> None:
        self._say(step, VenueStatus.STOPPED)

    def on_triggered(self, step: Step) -> None:
        self._say(step, VenueStatus.TRIGGERED)

    def on_restated(self, step: Step) -> None:
        venue = self._venue(step)
        venue.order_qty = Decimal(str(step.get("order_qty", venue.order_qty)))
        self._say(step, _working(venue))

    def on_expired(self, step: Step) -> None:
        self._say(step, VenueStatus.EXPIRED)

    def on_tif_cancel(self, step: Step) -> None:
        self._say(step, VenueStatus.CANCELED)

    on_unsolicited_cancel = on_tif_cancel

    def on_external_order(self, step: Step) -> None:
        venue = Venue(step["cl"], Decimal(str(self.case["initial_order_qty"])), f"V-{step['cl']}", is_ours=False)
        self.venues[step["cl"]] = venue
        self._say(step, VenueStatus.NEW)

    # -- what we ask

    def on_order_status(self, step: Step) -> None:
        """The venue repeats its last word; asked before it has spoken, it has nothing to add."""
        venue = self._venue(step)
        if venue.has_answered:
            self._say(step, venue.said, source="query")

    def on_query_result_open(self, step: Step) -> None:
        self._answer(step, _working(self._venue(step)))

    def on_listed_open(self, step: Step) -> None:
        """Long after, the venue's list of open orders has it; asked for the order itself, it says so, too."""
        venue = self._venue(step)
        for source in ("open_orders", "query"):
            self._tell(self._report(step, _working(venue), source=source))
        said = self._report(step, _working(venue), source="query")
        self.journal.hear(lambda book, known: evidence.of_reopening(book, said))

    def on_query_result_canceled(self, step: Step) -> None:
        self._answer(step, VenueStatus.CANCELED)

    def on_query_result_filled(self, step: Step) -> None:
        venue = self._venue(step)
        venue.told_cum = max(venue.order_qty, venue.told_cum)
        self._answer(step, VenueStatus.FILLED)

    def on_query_result_partial(self, step: Step) -> None:
        self._answer(step, VenueStatus.PARTIALLY_FILLED)

    def on_query_result_trades(self, step: Step) -> None:
        self._trades(self._listed(step), "query")

    def on_query_result_unknown(self, step: Step) -> None:
        """The venue does not know it, whenever it is asked: proof R4, as the Resolver completes it."""
        self._ask(step, None)

    def on_reconnect_snapshot(self, step: Step) -> None:
        self._answer(step, _working(self._venue(step)))

    def _answer(self, step: Step, status: VenueStatus) -> None:
        """The answer to a query, the trades it lists, and for what stays missing the end of the grace."""
        venue = self._venue(step)
        listed = self._listed(step)
        if "venue_cum" in step:
            venue.told_cum = max(venue.told_cum, Decimal(str(step["venue_cum"])))
        elif status is not VenueStatus.FILLED and not listed:
            venue.told_cum = venue.cum + Decimal(str(step.get("last", 0)))
        self._trades(listed, "query")
        report = self._report(step, status, source="query")
        self._tell(report)
        order = self.shown(step)
        if order is not None and order.hole_qty:
            self._ask(step, report)

    def _ask(self, step: Step, report: OrderReport | None) -> None:
        """Let the Resolver ask this venue until time has settled what it can."""
        trades = list(self._venue(step).trades.values())
        totals: dict[str, Decimal] = {"BASE": Decimal(0), "QUOTE": Decimal(0)}
        for venue in self.venues.values():
            missing = venue.cum - venue.traded
            totals["BASE"] += venue.cum
            totals["QUOTE"] -= sum((one.last_qty * one.last_px for one in venue.trades.values()), missing * PX)
        ask_until_settled(
            self.journal, self._order_id(step), symbol=SYMBOL, report=report, trades=trades, totals=totals
        )

    def _listed(self, step: Step) -> list[TradeReport]:
        venue = self._venue(step)
        listed: list[TradeReport] = []
        for entry in step.get("trades", []):
            said = dict(entry) if isinstance(entry, dict) else {"last": entry}
            trade = self._trade({**said, "cl": step["cl"]}, Decimal(str(said.get("last", said.get("qty", 0)))))
            venue.trades[trade.trade_id] = trade
            listed.append(trade)
        return listed

    # -- what befalls us

    def on_crash_restart(self, step: Step) -> None:
        self.journal.crash()

    def on_disconnect(self, step: Step) -> None:
        """Nothing is said, so nothing changes."""


def evidence_of_trade(trade: TradeReport, source: str, book: Book, known: Known) -> Finding:
    return evidence.of_trade(book, trade, source=source, known=known)


def _working(venue: Venue) -> VenueStatus:
    if venue.cum == 0:
        return VenueStatus.NEW
    return VenueStatus.FILLED if venue.cum >= venue.order_qty else VenueStatus.PARTIALLY_FILLED
