"""Evidence in: reports become facts, facts become durable, and only then strategies hear of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from trading_orchestrator.brokers.port import Broker, OrderNotFound, OrderReport, TradeAmendment, TradeReport
from trading_orchestrator.errors import OrchestratorError, Transient
from trading_orchestrator.storage.ports import FactStore
from trading_orchestrator.trading import facts as f
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.orders.amends import of_amendment
from trading_orchestrator.trading.orders.evidence import of_report, of_trade
from trading_orchestrator.trading.orders.fills import fill_of
from trading_orchestrator.trading.orders.finding import VENUE, Ask, Finding, Hole, Known
from trading_orchestrator.trading.orders.life import At
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.record import DeskRecord

log = logging.getLogger(__name__)
SUMS = (f.TradeBooked, f.TradeInferred, f.TradeBusted, f.TradeCorrected)
"""What moves balances."""
LOOK_UPS = 8
"""Rounds of looking something up before a report has to come again: a trade, its order under either id, and then the
orders whose venue id nobody knows."""


Evidence: TypeAlias = OrderReport | TradeReport | TradeAmendment
NotFound: TypeAlias = dict[Ask, bytes | None]
"""The asks of orders that the venue answered by not knowing them; the values are None."""


class StillAsking(Transient):
    """Whose report this is was not found out yet: nothing is booked, and whoever brought it has to bring it again."""

    code = "intake.still_asking"


class Listener(NamedTuple):
    """Who hears, after it is durable; of holes (trades have to be fetched) and of sums that moved, at once."""

    on_fill: Callable[[int, Order, TradeReport], None]
    on_order: Callable[[Order], None]
    on_hole: Callable[[Hole], None]
    on_sums: Callable[[], None]


class _Told(NamedTuple):
    """What one write holds for strategies: fills with their place in the stream, then orders that moved."""

    fills: Sequence[tuple[int, str, TradeReport]]
    orders: Sequence[str]
    moves_sums: bool


class Intake:
    """Takes every report of the venue, whichever way it came, as often as it comes.

    Concurrency: reports that need nothing looked up are in the Book when `hear` returns; the rest follow in tasks.
    """

    def __init__(self, record: DeskRecord, store: FactStore, broker: Broker, listener: Listener) -> None:
        self._record = record
        self._store = store
        self._broker = broker
        self._listener = listener
        self._looking_up: set[asyncio.Task[None]] = set()
        self._untold = 0

    @property
    def book(self) -> Book:
        return self._record.book

    @property
    def told_seq(self) -> int | None:
        """Return the stream's place up to which strategies have heard every trade; None while some are under way."""
        return None if self._untold else self.book.seq

    def hear(self, evidence: Evidence, source: str = "stream") -> None:
        """Book what the report adds, now if possible."""
        if self._record.is_lost:
            return
        finding = self._find(evidence, source, {})
        if not finding.asks:
            self._add(finding)
            return
        task = asyncio.create_task(self._hear_after_look_up(evidence, source, finding))
        self._looking_up.add(task)
        task.add_done_callback(self._looking_up.discard)

    async def take_in(self, evidence: Evidence, source: str, not_found: NotFound | None = None) -> int:
        """Book what the report adds, look-ups included; return how many trades it added.

        Args:
            not_found: which orders the venue was asked for a moment ago and does not know; those found out now are
                added. Shared by the trades of one poll: each that names no order may be of any in doubt, and an account
                with little budget asked for all of them with every trade.
        """
        if self._record.is_lost:
            return 0
        not_found = {} if not_found is None else not_found
        return await self._look_up_and_add(evidence, source, self._find(evidence, source, not_found), not_found)

    def conclude(self, finding: Finding) -> None:
        """Record what follows from a failed call or a finished inquiry."""
        if not self._record.is_lost:
            self._add(finding)

    def is_in_doubt(self, cl_ord_id: str) -> bool:
        order = self.book.order(cl_ord_id)
        return order is not None and order.status in (At.PENDING_NEW, At.UNKNOWN, At.QUARANTINED)

    async def close(self) -> None:
        """End the look-ups under way."""
        for task in self._looking_up:
            task.cancel()
        await asyncio.gather(*self._looking_up, return_exceptions=True)

    def _find(self, evidence: Evidence, source: str, known: Known) -> Finding:
        if isinstance(evidence, OrderReport):
            return of_report(self.book, evidence, known=known)
        if isinstance(evidence, TradeAmendment):
            return of_amendment(self.book, evidence, known=known)
        return of_trade(self.book, evidence, source=source, known=known)

    async def _hear_after_look_up(self, evidence: Evidence, source: str, finding: Finding) -> None:
        try:
            await self._look_up_and_add(evidence, source, finding, {})
        except OrchestratorError as error:
            log.warning("a report could not be placed and is left to the next poll: %s", error.message)

    async def _look_up_and_add(self, evidence: Evidence, source: str, finding: Finding, not_found: NotFound) -> int:
        known: dict[Ask, bytes | None] = dict(not_found)
        if isinstance(
            evidence, TradeAmendment
        ):  # its trade may have been booked a moment ago, and its row be on its way
            await self._record.flush()
        candidates: set[Ask] = set()
        for _ in range(LOOK_UPS):
            if not finding.asks:
                break
            # Who is sent while we ask cannot be meant: a busy desk would have us ask for ever.
            candidates = candidates or {ask for ask in finding.asks if self._is_held(ask)}
            for ask in finding.asks:
                sent_since = self._is_held(ask) and ask not in candidates
                known[ask] = None if sent_since else await self._look_up(ask, evidence.symbol, not_found)
            finding = self._find(evidence, source, known)
        if finding.asks:
            # Left out it would be lost for good: the cursor of trades passes what a poll has taken in.
            raise StillAsking(f"asked {LOOK_UPS} times whose it is, and is asked again later: {evidence}")
        return self._add(finding)

    def _is_held(self, ask: Ask) -> bool:
        """Return whether it asks the venue for an order of ours that may be the one a trade speaks of."""
        return ask.projection == VENUE and self.book.order(ask.key) is not None

    async def _look_up(self, ask: Ask, symbol: str, not_found: NotFound) -> bytes | None:
        if ask.projection != VENUE:
            row = await self._store.row(ask.projection, ask.key)
            return None if row is None else row.value
        try:
            self.hear(await self._broker.order(symbol, ask.key))
        except OrderNotFound:  # that is an answer, too
            not_found[ask] = None
        return None

    def _add(self, finding: Finding) -> int:
        """Record the facts and return how many trades were among them."""
        booked = self._write(finding.facts) if finding.facts else 0
        if finding.hole is not None:
            self._listener.on_hole(finding.hole)
        return booked

    def _write(self, facts: Sequence[f.Body]) -> int:
        told = _told(self.book.seq, facts)
        self._untold += 1
        self._record.write(*facts).add_done_callback(partial(self._tell, told))
        if told.moves_sums:
            self._listener.on_sums()
        return sum(isinstance(body, f.TradeBooked) for body in facts)

    def _tell(self, told: _Told, durable: asyncio.Future[None]) -> None:
        self._untold -= 1
        if durable.exception() is not None:
            return
        for seq, cl_ord_id, trade in told.fills:
            order = self.book.order(cl_ord_id)
            if order is not None:
                self._listener.on_fill(seq, order, trade)
        for cl_ord_id in told.orders:
            order = self.book.order(cl_ord_id)
            if order is not None:
                self._listener.on_order(order)


def _told(seq: int, bodies: Sequence[f.Body]) -> _Told:
    fills: list[tuple[int, str, TradeReport]] = []
    orders: dict[str, None] = {}
    for place, body in enumerate(bodies, start=seq + 1):
        if (fill := fill_of(body)) is not None:
            fills.append((place, *fill))
        cl_ord_id = _order_of(body)
        if cl_ord_id and not isinstance(body, f.NotFoundCounted):  # it changes nothing that a strategy decides on
            orders[cl_ord_id] = None
    return _Told(fills, list(orders), any(isinstance(body, SUMS) for body in bodies))


def _order_of(body: f.Body) -> str:
    report = getattr(body, "report", None)
    named: str = getattr(body, "cl_ord_id", "")
    return named or (report.cl_ord_id if isinstance(report, OrderReport) else "")
