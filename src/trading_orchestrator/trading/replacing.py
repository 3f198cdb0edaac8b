"""Replaces: cancel, proof, and a new intent of what remains (ORDER_PROTOCOL §7; why no other way: ADR 0009)."""

from __future__ import annotations

import asyncio
import logging

from trading_orchestrator.brokers.port import NewOrder
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.money import plain
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.facts import ReplacementDropped
from trading_orchestrator.trading.floor import TradingFloor
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.record import DeskRecord
from trading_orchestrator.trading.risk.limits import RiskRefused
from trading_orchestrator.trading.state import Replacement

log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.25
PASSING = ("risk.no_quote", "risk.max_orders_per_s", "risk.balances_differ")
"""Refusals that are over in a moment: a successor's feed has no quote yet, a second is full, a look is due."""


class Replacing:
    """Finishes every `replacement.intended`, also those of a predecessor: each ends in a new order or is dropped.

    Nothing new leaves before the old order is proved closed and every fill of it is booked. A cancel that the venue
    refused leaves the order as it was. What remains passes every limit again, in the desk's mode of that moment.
    """

    def __init__(self, record: DeskRecord, floor: TradingFloor, config: DeskConfig, clock: Clock) -> None:
        self._record = record
        self._floor = floor
        self._config = config
        self._clock = clock
        self._due = asyncio.Event()
        self._due.set()

    async def keep_going(self) -> None:
        """Look for ever while something is to be replaced; a refused cancel brings no event of its own."""
        while True:
            await self._due.wait()
            self.look()
            if not self._record.book.replacements():
                self._due.clear()
            await self._clock.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Go on with what is ready; to be called when an order moved, before its strategy hears of it."""
        if self._record.is_lost or not self._record.book.replacements():
            return
        self._due.set()
        for cl_ord_id, wanted in list(self._record.book.replacements().items()):
            order = self._record.book.order(cl_ord_id)
            if order is None:
                self._drop(cl_ord_id, "the order has left memory")
            elif order.is_closed and not order.hole_qty:
                self._intend_the_rest(order, wanted)
            elif self._was_kept(order):
                self._drop(cl_ord_id, "the cancel was refused and the order works on as it was")

    def _was_kept(self, order: Order) -> bool:
        """Asked for after the refusal, and nothing moved: the venue has it as before."""
        still_ns = abs(self._clock.wall_ns() - order.updated_ns)  # ahead of us: the clock was set back
        asked = any(request.is_open for request in order.requests)
        return not asked and order.lack is None and not order.hole_qty and still_ns > self._config.quiet_s * 1e9

    def _intend_the_rest(self, order: Order, wanted: Replacement) -> None:
        rest_qty = wanted.order_qty - order.cum_qty
        if rest_qty <= 0:
            self._drop(order.cl_ord_id, f"{plain(order.cum_qty)} traded before it closed: nothing remains")
            return
        rest = NewOrder("", order.symbol, order.side, order.ord_type, rest_qty, wanted.px, order.time_in_force)
        try:
            self._floor.submit_in_place_of(order, rest)
        except Refused as refusal:
            if not (isinstance(refusal, RiskRefused) and refusal.rule in PASSING):
                self._drop(order.cl_ord_id, refusal.message)

    def _drop(self, cl_ord_id: str, reason: str) -> None:
        log.info("no order takes the place of %s: %s", cl_ord_id, reason)
        self._record.write(ReplacementDropped(cl_ord_id=cl_ord_id, reason=reason))
