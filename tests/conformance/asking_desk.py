"""The desk's own Resolver over a case's journal: it asks a venue that always says the same, while a clock runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

import msgspec

from tests.conformance.desk_journal import DeskJournal
from trading_orchestrator.brokers.port import Balance, Broker, NoAnswer, OrderNotFound, OrderReport, TradeReport
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.tenancy import Seat
from trading_orchestrator.trading.balance_check import BalanceCheck
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.intake import Intake, NotFound
from trading_orchestrator.trading.orders import evidence
from trading_orchestrator.trading.orders.finding import Finding
from trading_orchestrator.trading.resolve import Resolver

STEP_S = 1.0
MOST_S = 280.0
"""Before the budget of rule R5 is spent; past grace and deadline of R4 and of a hole."""


@dataclass
class AskedVenue:
    """What the venue answers to every question of these minutes. `report` None: it does not know the order."""

    clock: VirtualClock
    report: OrderReport | None
    trades_told: Sequence[TradeReport]
    totals: dict[str, Decimal]
    validity_s: float = 1.0
    timeout_s: float = 1.0

    async def order(self, symbol: str, cl_ord_id: str) -> OrderReport:
        if self.report is None:
            raise OrderNotFound("Order does not exist.", venue_code="-2013", text="Order does not exist.")
        return msgspec.structs.replace(self.report, at_ns=self.clock.wall_ns(), source="query")

    async def trades(
        self, symbol: str, *, after_id: str | None = None, since_ns: int | None = None
    ) -> Sequence[TradeReport]:
        return self.trades_told

    async def trades_of(self, symbol: str, venue_order_id: str) -> Sequence[TradeReport]:
        return self.trades_told

    async def balances(self) -> Sequence[Balance]:
        return [Balance(asset, total, Decimal(0)) for asset, total in self.totals.items()]

    async def cancel(self, symbol: str, cl_ord_id: str) -> OrderReport:
        raise NoAnswer("the case says nothing of a second cancel")


class JournalIntake:
    """Takes the Resolver's evidence into the journal of the case, stamped with its clock."""

    def __init__(self, journal: DeskJournal, clock: VirtualClock) -> None:
        self._journal = journal
        self._clock = clock

    @property
    def book(self) -> Book:
        return self._journal.book

    async def take_in(self, said: OrderReport | TradeReport, source: str, not_found: NotFound | None = None) -> int:
        self._journal.now_ns = self._clock.wall_ns()
        if isinstance(said, OrderReport):
            self._journal.hear(lambda book, known: evidence.of_report(book, said, known=known))
        else:
            self._journal.hear(lambda book, known: evidence.of_trade(book, said, source=source, known=known))
        return 0

    def conclude(self, finding: Finding) -> None:
        self._journal.now_ns = self._clock.wall_ns()
        if finding.facts:
            self._journal.record(*finding.facts)


class Always:
    """A seat that nobody takes."""

    def may_act(self) -> bool:
        return True


def ask_until_settled(
    journal: DeskJournal,
    cl_ord_id: str,
    *,
    symbol: str,
    report: OrderReport | None,
    trades: Sequence[TradeReport],
    totals: dict[str, Decimal],
) -> None:
    """Let the Resolver ask for the order until nothing is open about it that time alone can settle.

    Args:
        report: what the venue says of the order each time; None: it does not know it.
        trades: every trade it lists. totals: what the account holds.
    """
    asyncio.run(_ask(journal, cl_ord_id, symbol, report, trades, totals))


async def _ask(
    journal: DeskJournal,
    cl_ord_id: str,
    symbol: str,
    report: OrderReport | None,
    trades: Sequence[TradeReport],
    totals: dict[str, Decimal],
) -> None:
    clock = VirtualClock(wall_ns=journal.now_ns)
    venue = cast(Broker, AskedVenue(clock, report, trades, totals))
    config = DeskConfig(broker="case", symbols=[symbol])
    resolver = Resolver(
        cast(Intake, JournalIntake(journal, clock)),
        venue,
        cast(Seat, Always()),
        BalanceCheck(journal.book, venue, clock, [symbol]),
        config,
        clock=clock,
        random_bytes=bytes,
        is_under_way=lambda _: False,
        mark_px=lambda _: None,
    )
    resolver.watch(cl_ord_id)
    for _ in range(round(MOST_S / STEP_S)):
        await clock.advance(STEP_S)
        if _is_settled(journal.book, cl_ord_id):
            break
    await resolver.close()
    journal.now_ns = clock.wall_ns()


def _is_settled(book: Book, cl_ord_id: str) -> bool:
    order = book.order(cl_ord_id)
    return order is None or (order.lack is None and not order.hole_qty) or order.is_closed
