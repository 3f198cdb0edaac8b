"""A small desk for tests: send an order, let the venue speak, look at the book."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.conformance.desk_journal import DeskJournal
from trading_orchestrator.brokers.port import NewOrder, OrderReport, OrdType, Side, TradeReport, VenueStatus
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.orders import evidence
from trading_orchestrator.trading.orders.client_id import cl_ord_id
from trading_orchestrator.trading.orders.finding import Finding
from trading_orchestrator.trading.orders.order import Order

SYMBOL = "BASE/QUOTE"


class Scene:
    """A desk over an in-memory journal."""

    def __init__(self) -> None:
        self.journal = DeskJournal(doubled=False)

    def send(self, qty: str = "10", side: Side = Side.BUY, strategy: str = "s") -> str:
        """Intend the strategy's next order and return its id."""
        intent_id = self.journal.book.next_intent_id(strategy)
        order = NewOrder(
            cl_ord_id=cl_ord_id("case", "line", intent_id, 0),
            symbol=SYMBOL,
            side=side,
            ord_type=OrdType.LIMIT,
            order_qty=Decimal(qty),
            px=Decimal(10),
        )
        body = f.OrderIntended(
            intent_id=intent_id, generation=0, strategy=strategy, order=order, reserved_notional=order.order_qty * 10
        )
        self.journal.record(body)
        return order.cl_ord_id

    def report(self, cl: str, status: VenueStatus, **more: Any) -> OrderReport:
        self.journal.now_ns += 1_000_000_000
        said: dict[str, Any] = {
            "symbol": SYMBOL,
            "cl_ord_id": cl,
            "venue_order_id": f"V-{cl}",
            "status": status,
            "side": Side.BUY,
            "ord_type": OrdType.LIMIT,
            "order_qty": Decimal(10),
            "px": Decimal(10),
            "cum_qty": Decimal(0),
            "at_ns": self.journal.now_ns,
            "source": "stream",
        }
        return OrderReport(**(said | more))

    def trade(self, cl: str, trade_id: str, qty: str = "10", **more: Any) -> TradeReport:
        self.journal.now_ns += 1_000_000_000
        said: dict[str, Any] = {
            "symbol": SYMBOL,
            "trade_id": trade_id,
            "venue_order_id": f"V-{cl}",
            "cl_ord_id": cl,
            "side": Side.BUY,
            "last_qty": Decimal(qty),
            "last_px": Decimal(10),
            "fee": Decimal(0),
            "fee_asset": "",
            "at_ns": self.journal.now_ns,
        }
        return TradeReport(**(said | more))

    def hear(self, said: OrderReport | TradeReport) -> Finding:
        if isinstance(said, OrderReport):
            return self.journal.hear(lambda book, known: evidence.of_report(book, said, known=known))
        return self.journal.hear(lambda book, known: evidence.of_trade(book, said, source="stream", known=known))

    def order(self, cl: str) -> Order:
        order = self.journal.book.order(cl)
        assert order is not None
        return order

    def kinds(self) -> list[str]:
        return [fact.kind for fact in self.journal.facts]
