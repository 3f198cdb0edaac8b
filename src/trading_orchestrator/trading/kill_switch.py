"""The kill switch at work: while its latch is on, everything of ours is canceled and nothing open is left unseen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from trading_orchestrator.brokers.port import Broker, OrderReport
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.each_symbol import EachSymbol
from trading_orchestrator.trading.facts import DeskKillVerified
from trading_orchestrator.trading.intake import Intake
from trading_orchestrator.trading.orders.client_id import is_ours
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.record import DeskRecord
from trading_orchestrator.trading.reopening import reopen

log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.25
LOOK_LEAST_OFTEN_S = 4.0
"""Each look that fails, or is told of an order of ours that nobody confirms, waits twice as long for the next one."""
LOOKS_NEEDED = 2
REASON = "kill switch"


class KillSwitch:
    """Cancels, then looks twice. The latch itself is a fact (`desk.killed`): the risk check reads it from the Book.

    Orders of others on the account are not touched. An order in doubt counts as open until it is found or proved
    absent; its cancel is sent as soon as it is found, or can no longer be on its way (`Resolver`).
    """

    def __init__(
        self,
        record: DeskRecord,
        intake: Intake,
        broker: Broker,
        config: DeskConfig,
        *,
        clock: Clock,
        withdraw: Callable[[Sequence[Order], str], None],
    ) -> None:
        self._record = record
        self._intake = intake
        self._broker = broker
        self._config = config
        self._clock = clock
        self._withdraw = withdraw
        self._each = EachSymbol(record, config.symbols)
        self._begin_looking()

    async def keep_down(self) -> None:
        """Act for ever: at every start with the latch on, and whenever it goes on."""
        while True:
            if not self._record.book.is_killed:
                self._begin_looking()
            elif not self._record.is_lost:
                await self._press()
            await self._clock.sleep(LOOK_EVERY_S)

    async def _press(self) -> None:
        ours = self._ours()
        self._withdraw(ours, REASON)
        if ours:
            self._begin_looking()
        elif self._quiet_looks < LOOKS_NEEDED and self._clock.monotonic_ns() >= self._look_at_ns:
            await self._look()

    def _begin_looking(self) -> None:
        self._quiet_looks = 0
        self._look_at_ns = 0
        self._apart_s = LOOK_EVERY_S

    def _look_less_often(self) -> None:
        self._apart_s = min(2 * self._apart_s, LOOK_LEAST_OFTEN_S)
        self._look_at_ns = self._clock.monotonic_ns() + int(self._apart_s * 1e9)

    async def _look(self) -> None:
        """Ask the venue itself; what it lists of ours is taken in and canceled with the next round."""
        asked_ns = self._clock.wall_ns()
        open_ids: list[str] = []

        async def list_on(symbol: str) -> None:
            reports = await self._broker.open_orders([symbol])
            for report in reports:
                await self._intake.take_in(report, report.source)
            ours = [report for report in reports if self._is_ours(report)]
            await reopen(self._intake, self._broker, ours, asked_ns, self._config.quiet_s)
            open_ids.extend(report.cl_ord_id for report in reports if is_ours(report.cl_ord_id))

        try:
            (await self._each.ask(list_on)).raise_failure()
        except OrchestratorError as error:
            log.info("looking for open orders: %s", error.message)
            self._look_less_often()
            return
        if open_ids or self._ours():
            self._quiet_looks = 0
            self._look_less_often()
            return
        self._quiet_looks += 1
        book = self._record.book
        if self._quiet_looks == LOOKS_NEEDED and book.is_killed and not book.kill_is_verified:
            self._record.write(DeskKillVerified(looks=LOOKS_NEEDED))

    def _ours(self) -> list[Order]:
        return [order for order in self._record.book.open_orders() if not order.foreign]

    def _is_ours(self, report: OrderReport) -> bool:
        order = self._record.book.find_order(
            symbol=report.symbol, cl_ord_id=report.cl_ord_id, venue_order_id=report.venue_order_id
        )
        return order is not None and not order.foreign
