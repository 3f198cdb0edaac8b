"""Two accounts may each have an order that somebody else calls by the same name: their rows do not meet."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from trading_orchestrator.brokers.port import OrderReport, OrdType, Side, VenueStatus
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.facts import ForeignOrderSeen
from trading_orchestrator.trading.orders.evidence import of_report
from trading_orchestrator.trading.orders.finding import Ask
from trading_orchestrator.trading.orders.stored import ORDERS

REPORT = OrderReport(
    symbol="EUR/USDT",
    cl_ord_id="web_1",
    venue_order_id="7",
    status=VenueStatus.NEW,
    side=Side.BUY,
    ord_type=OrdType.LIMIT,
    order_qty=Decimal(1),
    px=Decimal("1.1"),
    cum_qty=Decimal(0),
    at_ns=1,
    source="stream",
)


def rows_of(account: str) -> dict[tuple[str, str], object]:
    book = Book(f"desk of {account}", account=account, timeline="t")
    puts = book.record([ForeignOrderSeen(report=REPORT)], at_ns=1).puts
    return {(put.projection, put.key): put.value for put in puts}


def test_no_row_of_one_account_is_one_of_the_other() -> None:
    assert set() == rows_of("first").keys() & rows_of("second").keys()


def test_its_own_account_finds_it_again() -> None:
    """Through the index of ids, as every order that left memory is found."""
    rows = rows_of("first")
    book = Book("desk of first", account="first", timeline="t")
    known: dict[Ask, bytes | None] = {}
    asked: list[str] = []
    while asks := of_report(book, REPORT, known=known).asks:
        for ask in asks:
            value = rows.get((ask.projection, ask.key))
            known[ask] = None if value is None else _as_json(value)
            asked.append(f"{ask.projection} {ask.key}")

    assert ["orders web_1", "order_ids first/web_1", "orders first/web_1"] == asked
    assert known[Ask(ORDERS, "first/web_1")] is not None


def _as_json(value: object) -> bytes:
    return msgspec.json.encode(value)
