"""I4 and I12: of all the ways in which a call can fail, only a definite no ends an order; the rest are doubt."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from trading_orchestrator.brokers.budget import BudgetSpent, VenuePaused
from trading_orchestrator.brokers.port import (
    CancelRefused,
    DuplicateOrder,
    KeyRefused,
    NewOrder,
    NoAnswer,
    OrderNotFound,
    OrderRefused,
    OrdersPaused,
    OrdType,
    Side,
)
from trading_orchestrator.errors import Broken, Refused, Transient, Unknown
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.facts import AccountOpened, Body, CancelIntended, OrderIntended
from trading_orchestrator.trading.orders.answers import of_cancel_failure, of_submit_failure
from trading_orchestrator.trading.orders.finding import Finding

ORDER = NewOrder("tro" + "a" * 20, "BASE/QUOTE", Side.BUY, OrdType.LIMIT, Decimal(5), Decimal(2))
DEFINITE = (OrderRefused, KeyRefused, Transient, OrdersPaused, BudgetSpent, VenuePaused)
"""Proven to come before matching, or never sent."""
DOUBTFUL = (
    *(Unknown, NoAnswer, DuplicateOrder, Refused, OrderNotFound, CancelRefused, Broken),
    *(asyncio.CancelledError, asyncio.TimeoutError, ConnectionResetError, OSError, ValueError, KeyError, MemoryError),
)
FAILURES = st.sampled_from((*DEFINITE, *DOUBTFUL)).map(lambda kind: kind("said so"))


def pending(*more: Body) -> Book:
    """Return a book with one order that was sent and not answered."""
    book = Book("case", account="case", timeline="line")
    opened = AccountOpened(account="case", balances={"BASE": Decimal(100)}, trade_cursor={})
    intended = OrderIntended(
        intent_id="s.line.1", generation=0, strategy="s", order=ORDER, reserved_notional=Decimal(10)
    )
    book.record([opened, intended, *more], at_ns=1)
    return book


def concluded(book: Book, finding: Finding) -> Book:
    book.record(finding.facts, at_ns=2)
    return book


@settings(max_examples=200, deadline=None)
@given(st.lists(FAILURES, min_size=1, max_size=6))
def test_a_submit_is_over_only_by_a_definite_no(failures: list[BaseException]) -> None:
    """A call that sent nothing settles no earlier doubt: what was doubted may be there."""
    book = pending()
    for failure in failures:
        concluded(book, of_submit_failure(book, ORDER.cl_ord_id, failure))
    order = book.order(ORDER.cl_ord_id)
    refused = any(isinstance(each, OrderRefused) for each in failures)

    assert order is not None
    assert (refused or isinstance(failures[0], Transient)) == order.is_closed
    assert (Decimal(0) if order.is_closed else Decimal(5)) == book.exposure("BASE/QUOTE").buy_qty


@settings(max_examples=200, deadline=None)
@given(st.lists(FAILURES, min_size=1, max_size=6))
def test_no_failure_of_a_cancel_ends_the_order(failures: list[BaseException]) -> None:
    """A refused cancel says that it filled, or was canceled, or never was: whoever reads one of them out of it errs."""
    book = pending(CancelIntended(cl_ord_id=ORDER.cl_ord_id, request_id="request"))
    for failure in failures:
        concluded(book, of_cancel_failure(book, ORDER.cl_ord_id, "request", failure))
    order = book.order(ORDER.cl_ord_id)

    assert order is not None
    assert not order.is_closed
    assert Decimal(5) == book.exposure("BASE/QUOTE").buy_qty
