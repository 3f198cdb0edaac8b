"""The order gateway: a durable intent becomes bytes once, and whatever comes back becomes evidence."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from trading_orchestrator.brokers.budget import BudgetSpent, last_look
from trading_orchestrator.brokers.capabilities import budget_of
from trading_orchestrator.brokers.port import Broker, NewOrder, OrderReport, OrdersPaused
from trading_orchestrator.errors import OrchestratorError, Transient, Unknown
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.faultpoint import FaultPoint
from trading_orchestrator.kernel.tenancy import Seat
from trading_orchestrator.trading.intake import Intake
from trading_orchestrator.trading.orders.answers import (
    CLOSED,
    of_cancel_failure,
    of_cancel_left_open,
    of_submit_failure,
)

log = logging.getLogger(__name__)
NOTHING_LEAVES = ("halted", "draining", "unarmed", "killed")
HOLD_S = 1.0
"""Pause of new orders after a venue refused to look at one and named no time itself."""


class NotOurs(Unknown):
    """Nothing was sent, since the lease may be another's by now; the order is asked for all the same."""

    code = "desk.not_ours"


class Halted(Transient):
    """Nothing was sent: an operator halted the desk between the decision and the first byte."""

    code = "desk.halted"


class OrderGateway:
    """Sends what is durable, each intent at most once. Never resends an order; a cancel is asked again by `resolve`.

    Concurrency: one task a request, on the desk's loop. The lease's deadline is checked right before bytes leave.
    """

    def __init__(
        self,
        broker: Broker,
        seat: Seat,
        intake: Intake,
        *,
        clock: Clock,
        fault: FaultPoint,
        on_doubt: Callable[[str], None],
        on_left_open: Callable[[str], None],
        on_answer: Callable[[], None],
    ) -> None:
        self._broker = broker
        self._seat = seat
        self._intake = intake
        self._clock = clock
        self._fault = fault
        self._on_doubt = on_doubt
        self._on_left_open = on_left_open
        self._on_answer = on_answer
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._budget = budget_of(broker)
        self._hold_until_ns = 0
        self._orders_from_ns = 0

    @property
    def takes_orders(self) -> bool:
        """Return whether a new order could leave now: the seat may act, no pause was asked for, the budget has room."""
        has_room = self._budget is None or self._budget.has_room_for_orders
        return has_room and self._seat.may_act() and self._clock.monotonic_ns() >= self._orders_from_ns

    @property
    def _is_holding(self) -> bool:
        return self._hold_s > 0

    @property
    def _hold_s(self) -> float:
        return (self._hold_until_ns - self._clock.monotonic_ns()) / 1e9

    def is_under_way(self, cl_ord_id: str) -> bool:
        """Return whether the order is being sent, or its answer awaited."""
        return cl_ord_id in self._under_way

    def submit(self, order: NewOrder, durable: asyncio.Future[None]) -> None:
        """Send the order once its intent is durable; never when that fails."""
        self._start(order.cl_ord_id, self._submit(order, durable))

    def cancel(self, symbol: str, cl_ord_id: str, request_id: str, durable: asyncio.Future[None]) -> None:
        """Ask for the cancellation once that is durable and the order itself is answered.

        A cancel that overtook its own order would be refused as unknown while the order lives.
        """
        self._start(request_id, self._cancel(symbol, cl_ord_id, request_id, durable, self._under_way.get(cl_ord_id)))

    async def finish(self, deadline_s: float) -> None:
        """Wait for the answers under way, at most `deadline_s`; what is unanswered then is in doubt."""
        await self._wait(deadline_s)
        for task in self._under_way.values():
            task.cancel()
        await self._wait(1.0)

    async def _wait(self, timeout_s: float) -> None:
        if self._under_way:
            await asyncio.wait(list(self._under_way.values()), timeout=timeout_s)

    def _start(self, request: str, sending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(sending, name=f"send {request}")
        self._under_way[request] = task
        task.add_done_callback(lambda _: self._under_way.pop(request, None))

    async def _submit(self, order: NewOrder, durable: asyncio.Future[None]) -> None:
        if not await _is_durable(durable):
            return
        await self._fault("order.intended")
        sending = asyncio.create_task(self._send(order))
        try:
            await self._fault("order.in_flight")
            report = await sending
            await self._fault("order.answered")
        except asyncio.CancelledError as cut_short:
            sending.cancel()
            self._submit_failed(order.cl_ord_id, cut_short)
            raise
        except Exception as error:  # noqa: BLE001 - `of_submit_failure` tells the few definite answers from all others
            self._submit_failed(order.cl_ord_id, error)
        else:
            self._intake.hear(report)
            self._on_answer()

    async def _send(self, order: NewOrder) -> OrderReport:
        """Look and send in one turn of the loop: between two turns a process may be stopped for long.

        The broker looks again when the request has its time stamp: a stop before that would give it a fresh one.
        """
        look = partial(self._look_at_order, order.cl_ord_id)
        look()
        with last_look(look):
            return await self._broker.submit(order)

    def _look_at_order(self, cl_ord_id: str) -> None:
        """What was doubted is never sent: rule R4 counts on it, and may have proved that it is nowhere."""
        if not self._seat.may_act():
            raise NotOurs("not sent: the lease's deadline had passed")
        if self._intake.book.mode in NOTHING_LEAVES:
            raise Halted(f"not sent: the desk is {self._intake.book.mode}", retry_after_s=0.0)
        held = self._intake.book.order(cl_ord_id)
        if held is None or held.lack is not None or held.is_closed:
            raise NotOurs("not sent: it was in doubt, or settled, before it could leave")

    async def _cancel(
        self,
        symbol: str,
        cl_ord_id: str,
        request_id: str,
        durable: asyncio.Future[None],
        order_under_way: asyncio.Task[None] | None,
    ) -> None:
        if not await _is_durable(durable):
            return
        await self._fault("cancel.intended")
        if order_under_way is not None:
            await asyncio.wait([order_under_way])
        try:
            report = await self._cancel_when_looked_at(symbol, cl_ord_id)
        except asyncio.CancelledError as cut_short:
            self._cancel_failed(cl_ord_id, request_id, cut_short)
            raise
        except Exception as error:  # noqa: BLE001 - as for orders: no answer, no knowledge
            self._cancel_failed(cl_ord_id, request_id, error)
        else:
            self._intake.hear(report)
            self._end_unless_closed(cl_ord_id, request_id, report)
            self._on_answer()

    def _end_unless_closed(self, cl_ord_id: str, request_id: str, report: OrderReport) -> None:
        """A cancel's OK is not the end (ORDER_PROTOCOL §7): what it left open is watched until it is closed."""
        if report.status not in CLOSED:
            self._intake.conclude(of_cancel_left_open(self._intake.book, cl_ord_id, request_id, report.status))
            self._on_left_open(cl_ord_id)

    async def _cancel_when_looked_at(self, symbol: str, cl_ord_id: str) -> OrderReport:
        """Try until the venue looks at it: in a ban, or without a network, nothing has happened yet."""
        while True:
            await self._wait_out_hold()
            try:
                return await self._cancel_in_flight(asyncio.create_task(self._send_cancel(symbol, cl_ord_id)))
            except Transient as error:
                order = self._intake.book.order(cl_ord_id)
                if order is None or order.is_closed:
                    raise
                log.info("cancel of %s waits: %s", cl_ord_id, error.message)
                self._hold(error)

    async def _cancel_in_flight(self, sending: asyncio.Task[OrderReport]) -> OrderReport:
        try:
            await self._fault("cancel.in_flight")
            report = await sending
            await self._fault("cancel.answered")
        except asyncio.CancelledError:
            sending.cancel()
            raise
        return report

    async def _send_cancel(self, symbol: str, cl_ord_id: str) -> OrderReport:
        """As `_send`: look and send in one turn; once more if the budget made it wait."""
        self._look_at_cancel(cl_ord_id)
        with last_look(partial(self._look_at_cancel, cl_ord_id)):
            return await self._broker.cancel(symbol, cl_ord_id)

    def _look_at_cancel(self, cl_ord_id: str) -> None:
        if self._intake.is_in_doubt(cl_ord_id) or not self._seat.may_act():
            raise NotOurs("not sent: the order is in doubt, or the lease ended")

    def _submit_failed(self, cl_ord_id: str, error: BaseException) -> None:
        self._hold(error)
        self._intake.conclude(of_submit_failure(self._intake.book, cl_ord_id, error))
        if self._intake.is_in_doubt(cl_ord_id):
            self._on_doubt(cl_ord_id)

    def _cancel_failed(self, cl_ord_id: str, request_id: str, error: BaseException) -> None:
        """Nothing follows for the order itself, whatever the failure: it is asked for."""
        self._hold(error)
        self._intake.conclude(of_cancel_failure(self._intake.book, cl_ord_id, request_id, error))
        self._on_doubt(cl_ord_id)

    async def _wait_out_hold(self) -> None:
        """Wait here and not within the broker: after the look at the lease nothing may wait, not even for a ban."""
        while (wait_s := max(self._hold_s, self._budget.paused_s if self._budget is not None else 0.0)) > 0:
            await self._clock.sleep(wait_s)

    def _hold(self, error: BaseException) -> None:
        """Send nothing while the venue would not look at it. Our own budget holds orders back by itself."""
        if not isinstance(error, Transient) or isinstance(error, BudgetSpent):
            return
        hold_s = HOLD_S if error.retry_after_s is None else error.retry_after_s
        until_ns = self._clock.monotonic_ns() + int(hold_s * 1e9)
        self._orders_from_ns = max(self._orders_from_ns, until_ns)
        if not isinstance(error, OrdersPaused):
            self._hold_until_ns = max(self._hold_until_ns, until_ns)


async def _is_durable(durable: asyncio.Future[None]) -> bool:
    try:
        await asyncio.shield(durable)
    except OrchestratorError:
        return False
    return True
