"""Orders on the account that are not ours: what became of those the venue lists no more. Asked for, never canceled."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from trading_orchestrator.brokers.port import Broker, OrderNotFound, OrderReport
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.facts import ForeignOrderGone
from trading_orchestrator.trading.intake import Intake
from trading_orchestrator.trading.orders.evolve import foreign_key, is_nameless
from trading_orchestrator.trading.orders.finding import Finding
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.reopening import reopen

log = logging.getLogger(__name__)
GONE = "two lists of open orders lack it, and the venue does not know it"


class ForeignOrders:
    """Follows a human's orders to their end, so that none stays reserved when nobody told of it.

    One that a list lacks is asked for by its client id. What has none, or is not found by it, is gone with the second
    list in a row without it. Whoever has orders on symbols that the desk does not trade is listed there, too.
    """

    def __init__(self, intake: Intake, broker: Broker, config: DeskConfig) -> None:
        self._intake = intake
        self._broker = broker
        self._config = config
        self._missed: set[str] = set()

    async def look(self, listed: Sequence[OrderReport], listed_on: Collection[str], asked_ns: int) -> None:
        """Take in what became of those that are missing.

        Args:
            listed: the open orders on the desk's symbols, taken in already.
            listed_on: the symbols of which the venue told them.
            asked_ns: when they were asked for, by the wall clock.
        """
        keys = {foreign_key(report) for report in listed}
        told = set(listed_on)
        for symbol in sorted({order.symbol for order in self._open()} - set(self._config.symbols)):
            keys |= await self._listed_on(symbol, told, asked_ns)
        absent = [order for order in self._open() if order.symbol in told and self._is_missing(order, keys, asked_ns)]
        missed = {order.cl_ord_id for order in absent if not await self._is_found(order)}
        for cl_ord_id in sorted(missed & self._missed):
            self._intake.conclude(Finding(facts=(ForeignOrderGone(cl_ord_id=cl_ord_id, reason=GONE),)))
        self._missed = missed - self._missed
        await self._fetch_fills()

    async def _listed_on(self, symbol: str, told: set[str], asked_ns: int) -> set[str]:
        """A symbol on which the venue tells nothing changes nothing, and keeps nobody from the others."""
        try:
            reports = await self._broker.open_orders([symbol])
            for report in reports:
                await self._intake.take_in(report, report.source)
            await reopen(self._intake, self._broker, reports, asked_ns, self._config.quiet_s)
        except OrchestratorError as error:
            log.info("listing open orders on %s: %s", symbol, error.message)
            return set()
        told.add(symbol)
        return {foreign_key(report) for report in reports}

    def _is_missing(self, order: Order, keys: set[str], asked_ns: int) -> bool:
        """As for our own: whatever moved since shortly before the question may be on either side of it."""
        return order.cl_ord_id not in keys and abs(asked_ns - order.updated_ns) > self._config.quiet_s * 1e9

    async def _is_found(self, order: Order) -> bool:
        """Return whether the venue knows it, or has not said that it does not."""
        if is_nameless(order):
            return False
        try:
            report = await self._broker.order(order.symbol, order.cl_ord_id)
        except OrderNotFound:
            return False
        except OrchestratorError as error:
            log.info("asking for %s, which is not ours: %s", order.cl_ord_id, error.message)
            return True
        await self._intake.take_in(report, report.source)
        return True

    async def _fetch_fills(self) -> None:
        """The venue counts more of it as filled than we have trades: fetch its own ones."""
        for order in self._intake.book.holes():
            if not order.foreign or not order.venue_order_id:
                continue
            try:
                for trade in await self._broker.trades_of(order.symbol, order.venue_order_id):
                    await self._intake.take_in(trade, "query")
            except OrchestratorError as error:
                log.info("fetching fills of %s, which is not ours: %s", order.cl_ord_id, error.message)

    def _open(self) -> list[Order]:
        return [order for order in self._intake.book.open_orders() if order.foreign]
