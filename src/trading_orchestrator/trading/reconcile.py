"""Reconciliation at the start (§8 of the order protocol): no strategy runs until every id is classified."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from trading_orchestrator.brokers.port import Balance, Broker, OrderNotFound, OrderReport, SymbolGone, TradeReport
from trading_orchestrator.errors import OrchestratorError, Transient, Unknown
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.ids import RandomBytes
from trading_orchestrator.trading.balance_check import BalanceCheck
from trading_orchestrator.trading.caution import until_a_person_looks
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.each_symbol import EachSymbol
from trading_orchestrator.trading.facts import (
    AccountOpened,
    CursorAdvanced,
    DeskFoundBehind,
    DeskNumbersSkipped,
    DeskReconciled,
)
from trading_orchestrator.trading.intake import Intake, NotFound
from trading_orchestrator.trading.lost_orders import Look, LostOrders
from trading_orchestrator.trading.orders.answers import of_restart
from trading_orchestrator.trading.orders.client_id import is_ours
from trading_orchestrator.trading.orders.finding import VENUE, Ask
from trading_orchestrator.trading.polls import settled_cursor
from trading_orchestrator.trading.record import DeskRecord
from trading_orchestrator.trading.resolve import Resolver
from trading_orchestrator.trading.venue_clock import ClockOff, VenueClock

log = logging.getLogger(__name__)
T = TypeVar("T")
TRIES = 3
ASK_AT_ONCE = 32
"""Orders asked for before strategies run; of more the lists tell, or the resolver asks at its own pace: until then
their exposure is reserved, and a takeover in a storm does not wait for a thousand answers."""
TRY_AGAIN_S = 0.05
PAUSE_MOST_S = 2.0
"""A venue's pause of so long is waited out between two tries; a longer one is for a later start."""
BREATHE_EVERY = 256
LOOK_BACK_S = (60.0, 3600.0, 86_400.0)
"""Where the newest trade before the opening is looked for, the nearest first; then in all of the history."""


class NotReconciled(Transient):
    """The venue does not answer, so nobody knows where we stand; no strategy may run."""

    code = "desk.not_reconciled"


@dataclass(frozen=True)
class Snapshot:
    """What the venue said at about one time.

    `asked_ns`: when it was asked, wall. `found`: the orders asked for by id; None: not found. `look`: whether it knows
    orders that we would send next.
    """

    asked_ns: int
    offset_s: float
    open_orders: Sequence[OrderReport]
    trades: Sequence[TradeReport]
    balances: Sequence[Balance]
    found: dict[str, OrderReport | None]
    look: Look


class Reconciler:
    """Brings Book and venue together once, at a start or takeover. Later differences are found by `Polls`."""

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
        venue_clock: VenueClock,
        wanted: Mapping[str, Sequence[str]],
        random_bytes: RandomBytes,
        is_known_current: bool,
    ) -> None:
        self._record = record
        self._intake = intake
        self._broker = broker
        self._resolver = resolver
        self._balances = balances
        self._config = config
        self._clock = clock
        self._venue_clock = venue_clock
        self._each = EachSymbol(record, config.symbols)
        self._is_blind = False
        self._lost_orders = LostOrders(
            intake.book,
            wanted,
            ask=self._find,
            ask_once=self._find_once,
            clock=clock,
            random_bytes=random_bytes,
            is_known_current=is_known_current,
        )

    async def start_up(self, trigger: str, drain: Callable[[], None]) -> asyncio.Future[None]:
        """Return when green: every id is known, or UNKNOWN with its exposure reserved.

        Args:
            trigger: why, for the fact.
            drain: hands over the reports that the stream brought meanwhile; called once.

        Returns: done when the fact that says so is durable. Strategies may decide before: their intents follow it
        in the journal, and nothing leaves before those are durable.

        Raises:
            Transient: the venue did not answer, or our clock is off; nothing was decided.
        """
        began_ns = self._clock.monotonic_ns()
        if not self._intake.book.is_opened:
            await self._open_account()
        self._intake.conclude(of_restart(self._intake.book))
        with self._balances.watched() as sums:
            snapshot = await self._ask_all()
            self._resolver.skew_s = snapshot.offset_s
            if snapshot.look.is_ahead or self._has_strangers(snapshot):
                await self._adopt_lost_orders()
            if not snapshot.look.is_whole or self._is_blind:
                self._record.write(DeskNumbersSkipped(intents=self._lost_orders.skipped()))
            booked = await self._apply(snapshot)
            asked = len(snapshot.found) + await self._ask_for_the_missing(snapshot)
            drain()
        self._balances.first_look(snapshot.balances, sums, self._config.symbols)
        unknown = self._watch_unsettled(snapshot)
        return self._record.write(
            *self._cursors_advanced(snapshot),
            DeskReconciled(
                trigger=trigger,
                green=True,
                orders_checked=asked + len(snapshot.open_orders),
                trades_booked=booked,
                unknown=unknown,
                differences=[],  # one look proves none: `Polls.compare` looks twice
                took_ms=(self._clock.monotonic_ns() - began_ns) / 1e6,
            ),
        )

    def _has_strangers(self, snapshot: Snapshot) -> bool:
        """Return whether the venue speaks of an order that we do not hold: a human's, an old one, or a lost one.

        A trade may name only the venue's id of an order in doubt; the answer to the question after that order has it.
        """
        book = self._intake.book
        in_doubt = {(report.symbol, report.venue_order_id) for report in snapshot.found.values() if report is not None}
        named = [(report.symbol, report.cl_ord_id, report.venue_order_id) for report in snapshot.open_orders]
        named += [(trade.symbol, trade.cl_ord_id, trade.venue_order_id) for trade in snapshot.trades
                  if not book.is_booked(trade)]  # fmt: skip
        return any(
            book.find_order(symbol=symbol, cl_ord_id=cl_ord_id, venue_order_id=venue_order_id) is None
            for symbol, cl_ord_id, venue_order_id in named
            if (symbol, venue_order_id) not in in_doubt
        )

    async def _adopt_lost_orders(self) -> None:
        """Bring in what the journal lost, before its trades come without an owner, and let a human look."""
        lost = await self._lost_orders.search()
        if not lost.reports:
            return
        log.error("the journal is behind the venue: %d orders of ours are not in it", len(lost.reports))
        behind = DeskFoundBehind(orders=len(lost.reports), intents=lost.intents)
        reason = f"the journal was restored: {len(lost.reports)} orders of ours at the venue are not in it"
        stops = until_a_person_looks(self._intake.book, reason)
        for report in lost.reports:
            await self._intake.take_in(report, report.source)
        self._record.write(behind, *stops)

    def _cursors_advanced(self, snapshot: Snapshot) -> list[CursorAdvanced]:
        """The next successor need not ask for these again."""
        of_symbol = [[trade for trade in snapshot.trades if trade.symbol == each] for each in self._config.symbols]
        found = [settled_cursor(trades, snapshot.asked_ns, self._config) for trades in of_symbol]
        return [advanced for advanced in found if advanced is not None]

    async def _open_account(self) -> None:
        """Sums start here: trades up to the cursor are in these balances, later ones are ours to book."""
        newest = await self._newest_trades()
        while True:
            balances = await self._persistently(self._broker.balances)
            newer = await self._newest_trades()
            if newer == newest:
                break
            newest = newer
        traded = {symbol: trade for symbol, trade in newest.items() if trade is not None}
        await self._record.write(
            AccountOpened(
                account=self._config.account_name,
                balances={balance.asset: balance.total for balance in balances},
                trade_cursor={symbol: trade.trade_id for symbol, trade in traded.items()},
                trade_cursor_ns={symbol: trade.at_ns for symbol, trade in traded.items()},
            )
        )

    async def _newest_trades(self) -> dict[str, TradeReport | None]:
        symbols = self._config.symbols
        return dict(zip(symbols, await asyncio.gather(*map(self._newest_trade, symbols)), strict=True))

    async def _newest_trade(self, symbol: str) -> TradeReport | None:
        for look_back_s in LOOK_BACK_S:
            since_ns = self._clock.wall_ns() - int(look_back_s * 1e9)
            trades = await self._listed(symbol, partial(self._broker.trades, symbol, since_ns=since_ns))
            if trades:
                return trades[-1]
        trades = await self._listed(symbol, partial(self._broker.trades, symbol))
        return trades[-1] if trades else None

    async def _ask_all(self) -> Snapshot:
        """Ask everything at once: a takeover waits for the slowest answer, not for their sum."""
        book, asked_ns = self._intake.book, self._clock.wall_ns()
        suspects = [order for order in book.unknown_orders() if not order.foreign][-ASK_AT_ONCE:]
        offset, open_orders, balances, trades, found, look = await asyncio.gather(
            self._persistently(self._venue_clock.checked_offset_s),
            asyncio.gather(*(self._open_orders(symbol) for symbol in self._config.symbols)),
            self._persistently(self._broker.balances),
            asyncio.gather(*(self._trades(symbol) for symbol in self._config.symbols)),
            asyncio.gather(*(self._ask_for(order.symbol, order.cl_ord_id) for order in suspects)),
            self._lost_orders.look(),
        )
        return Snapshot(
            asked_ns=asked_ns,
            offset_s=offset,
            open_orders=[report for of_symbol in open_orders for report in of_symbol],
            balances=balances,
            trades=[trade for of_symbol in trades for trade in of_symbol],
            found={cl_ord_id: report for cl_ord_id, answered, report in found if answered},
            look=look,
        )

    async def _trades(self, symbol: str) -> Sequence[TradeReport]:
        cursor, since_ns = self._intake.book.trade_cursor(symbol), self._intake.book.trade_cursor_ns(symbol)
        ask = partial(self._broker.trades, symbol, after_id=cursor, since_ns=since_ns)
        return await self._listed(symbol, ask)

    async def _open_orders(self, symbol: str) -> Sequence[OrderReport]:
        return await self._listed(symbol, partial(self._broker.open_orders, [symbol]))

    async def _listed(self, symbol: str, ask: Callable[[], Awaitable[Sequence[T]]]) -> Sequence[T]:
        """Return what the venue lists, nothing of a symbol that it knows no more: the desk starts on the others."""
        try:
            return await self._persistently(ask)
        except SymbolGone as gone:
            self._each.block(symbol, gone)
            return []

    async def _ask_for(self, symbol: str, cl_ord_id: str) -> tuple[str, bool, OrderReport | None]:
        """Return the id, whether the venue answered, and what."""
        try:
            return cl_ord_id, True, await self._broker.order(symbol, cl_ord_id)
        except OrderNotFound:
            return cl_ord_id, True, None
        except OrchestratorError as error:
            log.info("asking for %s: %s", cl_ord_id, error.message)
            return cl_ord_id, False, None

    async def _find(self, symbol: str, cl_ord_id: str) -> OrderReport | None:
        """Return the order, or None when the venue answered that it has none; raises when it did not answer.

        On a symbol that it knows no more nothing can be found, nor be sent again; the numbers are left out.
        """

        return await self._persistently(partial(self._find_once, symbol, cl_ord_id))

    async def _find_once(self, symbol: str, cl_ord_id: str) -> OrderReport | None:
        try:
            return await self._broker.order(symbol, cl_ord_id)
        except OrderNotFound:
            return None
        except SymbolGone:
            self._is_blind = True
            return None

    async def _apply(self, snapshot: Snapshot) -> int:
        """Trades first, then orders: an order's own sum must not look like a hole.

        A trade that names no order of ours may be of any in doubt: what the venue has just not found is not asked again
        for each of them, or a start with many doubts and a human's trades asks hundreds of times and fails by one.
        """
        booked = 0
        not_found: NotFound = {
            Ask(VENUE, cl_ord_id): None for cl_ord_id, report in snapshot.found.items() if not report
        }
        for count, trade in enumerate(snapshot.trades, 1):
            booked += await self._intake.take_in(trade, "poll", not_found)
            if count % BREATHE_EVERY == 0:
                await self._clock.sleep(0)  # renewals and signs of life go on however much there is to book
        for report in (*snapshot.open_orders, *filter(None, snapshot.found.values())):
            booked += await self._intake.take_in(report, report.source)
        return booked

    async def _ask_for_the_missing(self, snapshot: Snapshot) -> int:
        """Ask for the orders that we hold live and the venue does not list as open: they ended, or vanished."""
        known = {report.cl_ord_id for report in snapshot.open_orders} | snapshot.found.keys()
        missing = [
            order
            for order in self._intake.book.open_orders()
            if is_ours(order.cl_ord_id) and order.accepted and order.cl_ord_id not in known
        ]
        for order in missing[ASK_AT_ONCE:]:
            self._resolver.watch(order.cl_ord_id)
        asked = missing[:ASK_AT_ONCE]
        answers = await asyncio.gather(*(self._ask_for(order.symbol, order.cl_ord_id) for order in asked))
        for cl_ord_id, answered, report in answers:
            if report is not None:
                await self._intake.take_in(report, report.source)
            elif answered:
                snapshot.found[cl_ord_id] = None
        return len(asked)

    def _watch_unsettled(self, snapshot: Snapshot) -> int:
        """Let the resolver ask on for what is not settled; return how many orders are unknown."""
        book = self._intake.book
        for cl_ord_id, report in snapshot.found.items():
            if report is None:
                self._resolver.watch(cl_ord_id, not_found_already=True)
        for order in book.orders():
            unsettled = not order.is_finished and (order.lack is not None or order.hole_qty or order.requests)
            if unsettled or order.inferred:
                self._resolver.watch(order.cl_ord_id)
        return len(book.unknown_orders())

    async def _persistently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask up to `TRIES` times.

        Raises:
            NotReconciled: no answer came. What the venue refuses stays refused.
        """
        for tried in range(TRIES - 1):
            try:
                return await ask()
            except ClockOff:
                raise
            except (Transient, Unknown) as error:
                log.info("reconciling: %s", error.message)
                pause_s = error.retry_after_s if isinstance(error, Transient) else None
                await self._clock.sleep(max(TRY_AGAIN_S * 2**tried, min(pause_s or 0.0, PAUSE_MOST_S)))
        try:
            return await ask()
        except ClockOff:
            raise
        except (Transient, Unknown) as error:
            raise NotReconciled(f"no answer in {TRIES} tries: {error.message}", cause=error.code) from error
