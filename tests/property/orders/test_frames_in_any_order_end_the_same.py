"""Frames permuted and doubled end the same (I7): status, quantities, position and cash."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.desk_journal import DeskJournal
from trading_orchestrator.brokers.port import (
    NewOrder,
    NoAnswer,
    OrderReport,
    OrdType,
    Side,
    TimeInForce,
    TradeReport,
    VenueStatus,
)
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.orders import answers, evidence
from trading_orchestrator.trading.orders.client_id import cl_ord_id, request_id
from trading_orchestrator.trading.orders.edge import ord_status

SYMBOL = "BASE/QUOTE"
ID = cl_ord_id("case", "line", "i", 0)
NEW_ID = request_id(ID, 1)
CANCEL_ID = request_id(ID, 2)
Frame = OrderReport | TradeReport | NoAnswer
ENDS = (VenueStatus.CANCELED, VenueStatus.EXPIRED, VenueStatus.REJECTED)


class Story:
    """What truly happened at a venue to one order of 10, told in frames with the venue's own times."""

    def __init__(self, fills: list[int], replace_at: int | None, end: VenueStatus | None, attach: bool) -> None:
        self.frames: list[Frame] = []
        self.at_ns = 1_000
        self.qty = Decimal(10)
        self.cum = Decimal(0)
        self.cl_ord_id, self.venue_order_id = ID, "V1"
        self.report(VenueStatus.NEW)
        for number, fill in enumerate(fills):
            if number == replace_at:
                self.replace()
            self.fill(min(Decimal(fill), self.qty - self.cum), attach)
        if self.cum == self.qty:
            self.report(VenueStatus.FILLED)
        elif end is not None:
            self.report(VenueStatus.PENDING_CANCEL, cl_ord_id=CANCEL_ID)
            self.report(end)

    def report(self, status: VenueStatus, **more: Any) -> None:
        self.at_ns += 1
        said: dict[str, Any] = {
            "symbol": SYMBOL,
            "cl_ord_id": self.cl_ord_id,
            "venue_order_id": self.venue_order_id,
            "status": status,
            "side": Side.BUY,
            "ord_type": OrdType.LIMIT,
            "order_qty": self.qty,
            "px": Decimal(10),
            "cum_qty": self.cum,
            "at_ns": self.at_ns,
            "source": "stream",
        }
        self.frames.append(OrderReport(**(said | more)))

    def replace(self) -> None:
        """By cancel-and-new: the old id is reported canceled, the order lives on under a new one."""
        self.report(VenueStatus.CANCELED)
        self.qty, self.cl_ord_id, self.venue_order_id = Decimal(8), NEW_ID, "V2"
        self.report(VenueStatus.NEW)

    def fill(self, qty: Decimal, attach: bool) -> None:
        if qty <= 0 or self.cum + qty > self.qty:
            return
        self.cum += qty
        self.at_ns += 1
        trade = TradeReport(
            symbol=SYMBOL,
            trade_id=str(self.at_ns),
            venue_order_id=self.venue_order_id,
            cl_ord_id=self.cl_ord_id,
            side=Side.BUY,
            last_qty=qty,
            last_px=Decimal(self.at_ns % 7 + 1),
            fee=Decimal("0.1"),
            fee_asset="QUOTE",
            at_ns=self.at_ns,
        )
        status = VenueStatus.FILLED if self.cum == self.qty else VenueStatus.PARTIALLY_FILLED
        if attach:
            self.report(status, trades=(trade,))
        else:
            self.frames += [trade]
            self.report(status)


def told(frames: list[Frame]) -> dict[str, Any]:
    """Return what a desk shows after it heard the frames in this order."""
    journal = DeskJournal(doubled=False)
    order = NewOrder(ID, SYMBOL, Side.BUY, OrdType.LIMIT, Decimal(10), Decimal(10), TimeInForce.GTC)
    journal.record(
        f.OrderIntended(intent_id="i", generation=0, strategy="s", order=order, reserved_notional=Decimal(100)),
        f.ReplaceIntended(cl_ord_id=ID, request_id=NEW_ID, order_qty=Decimal(8), px=Decimal(10)),
        f.CancelIntended(cl_ord_id=ID, request_id=CANCEL_ID),
    )
    for frame in frames:
        journal.hear(partial(_of, frame))
    held, position = journal.book.order(ID), journal.book.position(SYMBOL)
    assert held is not None
    return {
        "ord_status": ord_status(held),
        "quantities": (held.effective_qty, held.cum_qty, held.leaves_qty, held.hole_qty),
        "avg_px": held.avg_px,
        "venue_order_id": held.venue_order_id,
        "position": (position.qty, position.cash_flow, position.fees),
        "balances": journal.book.balances(),
    }


def _of(frame: Frame, book: Any, known: Any) -> Any:
    if isinstance(frame, OrderReport):
        return evidence.of_report(book, frame, known=known)
    if isinstance(frame, TradeReport):
        return evidence.of_trade(book, frame, source="stream", known=known)
    return answers.of_submit_failure(book, ID, frame)


stories = st.builds(
    Story,
    st.lists(st.integers(1, 6), max_size=4),
    st.one_of(st.none(), st.integers(0, 2)),
    st.sampled_from((*ENDS, None)),
    st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(stories, st.data(), st.booleans())
def test_frames_permuted_and_doubled_end_the_same(story: Story, data: st.DataObject, in_doubt: bool) -> None:
    frames: list[Frame] = [*story.frames, *([NoAnswer("time-out")] if in_doubt else [])]
    shuffled = data.draw(st.permutations([*frames, *data.draw(st.lists(st.sampled_from(frames), max_size=5))]))

    assert told(story.frames) == told(list(shuffled))
