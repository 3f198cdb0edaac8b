"""Periodic questions to the venue: single frames get lost while heartbeats go on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from trading_orchestrator.brokers.budget import Purpose, asking
from trading_orchestrator.brokers.port import Broker, OrderReport, TradeReport
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.trading.balance_check import BalanceCheck, Differences, in_words
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.each_symbol import EachSymbol
from trading_orchestrator.trading.facts import (
    Body,
    CursorAdvanced,
    DeskReconciled,
    SymbolBlocked,
    SymbolReleased,
)
from trading_orchestrator.trading.folded import QUARANTINE
from trading_orchestrator.trading.foreign_orders import ForeignOrders
from trading_orchestrator.trading.intake import Intake, NotFound
from trading_orchestrator.trading.orders.client_id import is_ours
from trading_orchestrator.trading.orders.life import At
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.orders.requests import RequestAt
from trading_orchestrator.trading.positions.position import assets_of
from trading_orchestrator.trading.record import DeskRecord
from trading_orchestrator.trading.reopening import reopen
from trading_orchestrator.trading.resolve import Resolver

log = logging.getLogger(__name__)
UNEXPLAINED = "balance.unexplained"
IN_FLIGHT_S = 2.0
"""From when on an order or a cancel without an answer is asked for, and how often: a time-out may be longer."""
APART_S = 0.1
"""Least pause between two polls of a kind, however many reports call for one."""


class Polls:
    """Asks for trades, open orders and balances, each at its own pace, and at once after a gap or a hole.

    A failed question is no information: it changes nothing and is asked again. Every answer tells the resolver that
    the venue answers.
    """

    def __init__(
        self,
        record: DeskRecord,
        intake: Intake,
        broker: Broker,
        resolver: Resolver,
        balances: BalanceCheck,
        config: DeskConfig,
        *,
        clock: Clock,
    ) -> None:
        self._record = record
        self._intake = intake
        self._broker = broker
        self._resolver = resolver
        self._balances = balances
        self._config = config
        self._clock = clock
        self._each = EachSymbol(record, config.symbols)
        self._foreign_orders = ForeignOrders(intake, broker, config)
        self._trades_due = asyncio.Event()
        self._orders_due = asyncio.Event()
        self._balances_due = asyncio.Event()
        self._last_seen: Differences = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        config = self._config
        self._balances_due.set()  # the start-up looked once; a difference needs two looks
        held = bool(self._balances.held)
        self._tasks = [
            asyncio.create_task(self._repeat(self.poll_trades, lambda: config.poll_trades_s, self._trades_due)),
            asyncio.create_task(self._repeat(self.poll_orders, lambda: config.poll_orders_s, self._orders_due)),
            asyncio.create_task(self._repeat(self.compare, self._compare_again_s, self._balances_due, at_once=held)),
            asyncio.create_task(self._ask_in_flight()),
        ]

    def ask_now(self) -> None:
        """Reports may have been missed: ask for trades and orders without waiting for their turn."""
        self._trades_due.set()
        self._orders_due.set()

    def ask_soon(self, kinds: Iterable[str]) -> None:
        """Ask without waiting for their turn; kinds: "trades", "open_orders", "balances"."""
        due = {"trades": self._trades_due, "open_orders": self._orders_due, "balances": self._balances_due}
        for kind in kinds:
            due[kind].set()

    def fetch_trades(self) -> None:
        """A trade is known to be missing."""
        self._trades_due.set()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def poll_trades(self) -> None:
        """Book what the stream lost, and move each symbol's cursor up to what cannot be overtaken any more."""
        (await self._each.ask(self._poll_trades_on)).raise_failure()

    async def _poll_trades_on(self, symbol: str) -> None:
        book = self._intake.book
        cursor, since_ns = book.trade_cursor(symbol), book.trade_cursor_ns(symbol)
        asked_ns = self._clock.wall_ns()
        trades = await self._broker.trades(symbol, after_id=cursor, since_ns=since_ns)
        not_found: NotFound = {}
        for trade in trades:
            await self._intake.take_in(trade, "poll", not_found)
        advanced = settled_cursor(trades, asked_ns, self._config)
        if advanced is not None and not self._record.is_lost:
            self._record.write(advanced)

    async def poll_orders(self) -> None:
        """Hear of every open order; ask for each that the venue does not list.

        Where it told nothing, nothing is missing; but what rests on a symbol that it knows no more is asked for.
        """
        asked_ns = self._clock.wall_ns()
        reports: list[OrderReport] = []

        async def list_on(symbol: str) -> None:
            listed = await self._broker.open_orders([symbol])
            for report in listed:
                await self._intake.take_in(report, report.source)
            await reopen(self._intake, self._broker, listed, asked_ns, self._config.quiet_s)
            reports.extend(listed)

        answers = await self._each.ask(list_on)
        listed = {report.cl_ord_id for report in reports}
        for order in self._intake.book.open_orders():
            if order.symbol in answers.told | answers.gone and self._is_missing(order, listed, asked_ns):
                self._resolver.watch(order.cl_ord_id)
        await self._foreign_orders.look(reports, answers.told, asked_ns)
        answers.raise_failure()

    async def _ask_in_flight(self) -> None:
        """Adopt what the venue has already while its answer is awaited. What it does not know may be on its way."""
        while True:
            await self._clock.sleep(IN_FLIGHT_S)
            for order in [each for each in self._intake.book.open_orders() if self._is_in_flight(each)]:
                try:
                    with asking(Purpose.POLL):
                        report = await self._broker.order(order.symbol, order.cl_ord_id)
                    await self._intake.take_in(report, report.source)
                except OrchestratorError as error:
                    log.info("asking for %s in flight: %s", order.cl_ord_id, error.message)
                except Exception:  # a broker's bug about one order must not end the asking for all
                    log.exception("asking for %s in flight failed in a way nobody expected", order.cl_ord_id)

    def _is_in_flight(self, order: Order) -> bool:
        """What is in doubt is the resolver's."""
        unanswered = order.status is At.PENDING_NEW or any(r.at is RequestAt.INTENDED for r in order.requests)
        since_s = abs(self._clock.wall_ns() - order.updated_ns) / 1e9  # what seems to lie ahead is before a step back
        return unanswered and not order.foreign and order.lack is None and since_s >= IN_FLIGHT_S

    async def compare(self) -> None:
        """Compare balances; a difference seen twice alike is journaled, and never booked away."""
        seen = await self._look_at_balances()
        if seen != self._last_seen:
            self._last_seen = seen
            await self._clock.sleep(self._config.quiet_s)
            seen = await self._look_at_balances()
        if seen != self._last_seen:
            self._last_seen = seen
        elif not self._record.is_lost:
            self._conclude(seen)

    async def _look_at_balances(self) -> Differences:
        """Return the differences; look later while a trade of these seconds may explain one (`compare_s` at most)."""
        until_ns = self._clock.monotonic_ns() + int(self._config.compare_s * 1e9)
        while seen := await self._differences():
            active_s = self._balances.active_for_s(self._config.quiet_s)
            if not active_s or self._clock.monotonic_ns() >= until_ns:
                break
            await self._clock.sleep(active_s)
        return seen

    def _compare_again_s(self) -> float:
        """A look that failed or told nothing is taken again soon while entries wait for it."""
        config = self._config
        return min(config.quiet_s, config.compare_s) if self._balances.held else config.compare_s

    async def _differences(self) -> Differences:
        seen = await self._balances.differences()
        self._balances.looked(seen)
        return seen

    def _conclude(self, seen: Differences) -> None:
        """Two looks agree: journal a change, and let a symbol only reduce while an asset of it is unexplained."""
        book = self._intake.book
        told = book.reconciled.differences if book.reconciled is not None else []
        is_news = seen != book.unexplained or in_words(seen) != told
        facts: list[Body] = [_compared(self._intake, seen)] if is_news else []
        blocked = book.blocked
        for symbol in self._config.symbols:
            unexplained = {asset: seen[asset] for asset in assets_of(symbol) if asset in seen}
            code = blocked.get(symbol)
            if unexplained and code in (None, QUARANTINE):
                facts.append(SymbolBlocked(symbol=symbol, code=UNEXPLAINED, text="; ".join(in_words(unexplained))))
            elif not unexplained and code == UNEXPLAINED:
                facts.append(SymbolReleased(symbol=symbol, by="desk", reason="balances and trades agree again"))
        if facts:
            self._record.write(*facts)
        self._balances.held = frozenset()

    def _is_missing(self, order: Order, listed: set[str], asked_ns: int) -> bool:
        """Whatever moved since shortly before the question may be on either side of it.

        What seems to have moved long after it moved before the wall clock was set back.
        """
        quiet = abs(asked_ns - order.updated_ns) > self._config.quiet_s * 1e9
        return quiet and is_ours(order.cl_ord_id) and order.accepted and order.cl_ord_id not in listed

    async def _repeat(
        self,
        poll: Callable[[], Awaitable[None]],
        every_s: Callable[[], float],
        due: asyncio.Event,
        *,
        at_once: bool = False,
    ) -> None:
        while True:
            if not at_once:
                await self._clock.sleep(APART_S)
            at_once = False
            await _sleep_or(due, self._clock, every_s() - APART_S)
            try:
                with asking(Purpose.POLL):
                    await poll()
            except OrchestratorError as error:
                log.info("%s brought no information: %s", poll.__name__, error.message)
            except Exception:  # a broker's bug in one answer must not end the polls: silence would look like peace
                log.exception("%s failed in a way nobody expected", poll.__name__)
            else:
                self._resolver.nudge()


def settled_cursor(trades: Sequence[TradeReport], asked_ns: int, config: DeskConfig) -> CursorAdvanced | None:
    """Return the fact that all trades are booked up to the newest one so old that no lower id can still turn up.

    Args:
        trades: those of one symbol after its cursor, oldest first, all booked.
        asked_ns: when they were asked for, wall: what turned up while they were booked is not among them.
    """
    before_ns = asked_ns - int(config.poll_overlap_s * 1e9)
    old = [trade for trade in trades if trade.at_ns <= before_ns]
    if not old:
        return None
    return CursorAdvanced(symbol=old[-1].symbol, trade_id=old[-1].trade_id, trade_ns=old[-1].at_ns)


def _compared(intake: Intake, seen: Differences) -> DeskReconciled:
    return DeskReconciled(
        trigger="balances",
        green=True,
        orders_checked=0,
        trades_booked=0,
        unknown=len(intake.book.unknown_orders()),
        differences=in_words(seen),
        took_ms=0.0,
        unexplained=seen,
    )


async def _sleep_or(due: asyncio.Event, clock: Clock, seconds: float) -> None:
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    called = asyncio.ensure_future(due.wait())
    try:
        await asyncio.wait((sleeping, called), return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeping.cancel()
        called.cancel()
        due.clear()
