"""Watches the day's loss: at the limit the desk may only reduce, until a new day begins or a named person lifts it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from decimal import Decimal

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.money import plain
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.permit_facts import LossLimitLifted, LossLimitReached, TradingDayBegan
from trading_orchestrator.trading.record import DeskRecord
from trading_orchestrator.trading.risk.daily_loss import MarkPx, loss_asset, profit_of, trading_day

log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.25


class LossWatch:
    """Looks four times a second and after each fill. What counts and what was reached are facts: a restart changes
    neither. The first look of a day sets what its loss counts from, so a fall while no desk ran belongs to no day.

    At the limit every order that rests is canceled as well: an entry must not fill after the limit. Exits may be
    placed anew. Without a limit in the config this does nothing.
    """

    def __init__(
        self,
        record: DeskRecord,
        config: DeskConfig,
        *,
        clock: Clock,
        mark_px: MarkPx,
        withdraw: Callable[[Sequence[Order], str], None],
    ) -> None:
        self._record = record
        self._limit = config.risk.max_daily_loss
        self._begins_h = config.risk.day_begins_h
        self._asset = loss_asset(config.symbols, config.risk, source=f"desk {record.book.desk}")
        self._clock = clock
        self._mark_px = mark_px
        self._withdraw = withdraw

    async def keep_watch(self) -> None:
        """Look for ever; return at once when there is no limit, with what an earlier one had reached lifted."""
        if self._limit is None:
            self._lift_if_reached("the config sets no limit any more")
            return
        while True:
            self.look()
            await self._clock.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Compare the day's loss with the limit now."""
        book = self._record.book
        if self._limit is None or self._record.is_lost:
            return
        day = trading_day(self._clock.wall_ns(), self._begins_h)
        if day > book.day_loss.day:
            self._begin(day)
        elif book.day_loss.reached:
            self._withdraw_older_than(book.day_loss.reached_ns)
        else:
            self._compare(self._limit)

    def _begin(self, day: str) -> None:
        profit = self._profit()
        if profit is None:
            return
        self._lift_if_reached("a new day began")
        self._record.write(TradingDayBegan(day=day, asset=self._asset, profit=profit))

    def _compare(self, limit: Decimal) -> None:
        profit, counted = self._profit(), self._record.book.day_loss
        if profit is None or counted.profit_before - profit < limit:
            return
        loss = counted.profit_before - profit
        log.error("the day's loss of %s %s is at its limit of %s", plain(loss), self._asset, plain(limit))
        self._record.write(LossLimitReached(day=counted.day, asset=self._asset, loss=loss, limit=limit))
        self._withdraw_older_than(self._record.book.day_loss.reached_ns)

    def _withdraw_older_than(self, at_ns: int) -> None:
        resting = [order for order in self._record.book.open_orders() if order.created_ns <= at_ns]
        if resting:
            self._withdraw(resting, "the day's loss is at its limit")

    def _lift_if_reached(self, reason: str) -> None:
        if self._record.book.day_loss.reached and not self._record.is_lost:
            self._record.write(LossLimitLifted(by="desk", reason=reason))

    def _profit(self) -> Decimal | None:
        return profit_of(self._record.book.positions(), self._asset, self._mark_px)
