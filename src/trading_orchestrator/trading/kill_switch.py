"""The kill switch at work: while its latch is on, everything of ours is canceled and nothing open is left unseen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from trading_orchestrator.brokers.port import Broker
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
        self._quiet_looks = 0

    async def keep_down(self) -> None:
        """Act for ever: at every start with the latch on, and whenever it goes on."""
        while True:
            if not self._record.book.is_killed:
                self._quiet_looks = 0
            elif not self._record.is_lost:
                await self._press()
            await self._clock.sleep(LOOK_EVERY_S)

    async def _press(self) -> None:
        ours = self._ours()
        self._withdraw(ours, REASON)
        if ours:
            self._quiet_looks = 0
        elif self._quiet_looks < LOOKS_NEEDED:
            await self._look()

    async def _look(self) -> None:
        """Ask the venue itself; what it lists of ours is taken in and canceled with the next round."""
        asked_ns = self._clock.wall_ns()
        open_ids: list[str] = []

        async def list_on(symbol: str) -> None:
            reports = await self._broker.open_orders([symbol])
            for report in reports:
                await self._intake.take_in(report, report.source)
            await reopen(self._intake, self._broker, reports, asked_ns, self._config.quiet_s)
            open_ids.extend(report.cl_ord_id for report in reports if is_ours(report.cl_ord_id))

        try:
            (await self._each.ask(list_on)).raise_failure()
        except OrchestratorError as error:
            log.info("looking for open orders: %s", error.message)
            return
        self._quiet_looks = 0 if open_ids or self._ours() else self._quiet_looks + 1
        book = self._record.book
        if self._quiet_looks == LOOKS_NEEDED and book.is_killed and not book.kill_is_verified:
            self._record.write(DeskKillVerified(looks=LOOKS_NEEDED))

    def _ours(self) -> list[Order]:
        return [order for order in self._record.book.open_orders() if not order.foreign]
