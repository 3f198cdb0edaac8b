"""A broker to the simulated venue, with whatever goes wrong in between."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from msgspec import structs

from trading_orchestrator.brokers.budget import ASKING, Purpose, RequestBudget
from trading_orchestrator.brokers.port import (
    Balance,
    Connected,
    NewOrder,
    NoAnswer,
    OrderRefused,
    OrderReport,
    TradeAmendment,
    TradeReport,
)
from trading_orchestrator.brokers.simulated.faults import Effect, Fault, FaultScript
from trading_orchestrator.brokers.simulated.venue import SimulatedVenue
from trading_orchestrator.errors import OrchestratorError, Transient
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.market.inbox import Inbox

T = TypeVar("T")
_PURPOSE_OF = {"submit": Purpose.ORDER, "cancel": Purpose.CANCEL, "countdown": Purpose.CANCEL}


class SimulatedBroker:
    """A `Broker`. Several may reach one venue, as successive owners of one account do.

    Every wait is on the clock; a call takes `latency_s` each way. A request older than `validity_s` when it
    arrives is not accepted, as a venue's recvWindow has it. With a `budget` every call passes it first, at weight 1.
    With `countdown_s` the venue offers a cancel-all countdown.
    """

    def __init__(
        self,
        venue: SimulatedVenue,
        *,
        clock: Clock,
        faults: FaultScript,
        validity_s: float = 1.0,
        timeout_s: float = 1.0,
        latency_s: float = 0.0,
        budget: RequestBudget | None = None,
        countdown_s: float = 0.0,
    ) -> None:
        self.countdown_s = countdown_s
        self.validity_s = validity_s
        self.timeout_s = timeout_s
        self._venue = venue
        self._clock = clock
        self._faults = faults
        self._latency_s = latency_s
        if budget is not None:
            self.budget = budget  # only then is it `Budgeted`
        self._inboxes: list[Inbox[OrderReport | TradeReport | TradeAmendment | Connected]] = []
        self._held: OrderReport | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        venue.on_report.append(self._on_report)
        venue.on_amendment.append(self._deliver)

    async def connect(self) -> None:
        await self._ask("connect", lambda: None)

    async def submit(self, order: NewOrder) -> OrderReport:
        return await self._ask("submit", lambda: self._venue.accept(order), order.cl_ord_id)

    async def cancel(self, symbol: str, cl_ord_id: str) -> OrderReport:
        def cancel() -> OrderReport:
            return self._venue.cancel(symbol, cl_ord_id)

        def leave() -> OrderReport:
            return structs.replace(self._venue.order(symbol, cl_ord_id), source="answer")

        return await self._ask("cancel", cancel, cl_ord_id, hollow=leave)

    async def cancel_all_after(self, seconds: float) -> None:
        """Start the venue's countdown anew, or end it with 0 (see `CountsDown`); it goes on when we are gone."""
        number = await self._ask("countdown", self._venue.count_down)
        if seconds:
            self._start(self._later(seconds, lambda: self._venue.end_countdown(number)))

    async def order(self, symbol: str, cl_ord_id: str) -> OrderReport:
        return await self._ask("order", lambda: self._venue.order(symbol, cl_ord_id), cl_ord_id)

    async def open_orders(self, symbols: Sequence[str]) -> Sequence[OrderReport]:
        return await self._ask("open_orders", lambda: self._venue.open_orders(symbols))

    async def trades(
        self, symbol: str, *, after_id: str | None = None, since_ns: int | None = None
    ) -> Sequence[TradeReport]:
        return await self._ask("trades", lambda: self._venue.trades(symbol, after_id, since_ns))

    async def trades_of(self, symbol: str, venue_order_id: str) -> Sequence[TradeReport]:
        return await self._ask("trades", lambda: self._venue.trades_of(symbol, venue_order_id))

    async def balances(self) -> Sequence[Balance]:
        return await self._ask("balances", self._venue.balances)

    async def clock_offset_s(self) -> float:
        return await self._ask("clock_offset_s", lambda: 0.0)

    async def reports(self) -> AsyncIterator[OrderReport | TradeReport | TradeAmendment | Connected]:
        inbox: Inbox[OrderReport | TradeReport | TradeAmendment | Connected] = Inbox()
        inbox.put(Connected(self._clock.wall_ns()))
        self._inboxes.append(inbox)
        try:
            async for report in inbox:
                yield report
        finally:
            self._inboxes.remove(inbox)

    def reconnect(self) -> None:
        """Let the readers see what they see after a gap."""
        self._deliver(Connected(self._clock.wall_ns()))

    async def close(self) -> None:
        """End the streams. Requests on their way still arrive: a closed socket does not call them back."""
        if self._on_report in self._venue.on_report:
            self._venue.on_report.remove(self._on_report)
        if self._deliver in self._venue.on_amendment:
            self._venue.on_amendment.remove(self._deliver)
        for inbox in self._inboxes:
            inbox.end()

    async def _ask(
        self, on: str, do: Callable[[], T], cl_ord_id: str = "", *, hollow: Callable[[], T] | None = None
    ) -> T:
        if hasattr(self, "budget"):
            await self.budget.enter(1.0, _PURPOSE_OF.get(on) or ASKING.get())
        fault = self._faults.strike(on, cl_ord_id)
        if fault is not None and fault.effect is Effect.HOLLOW and hollow is not None:
            do = hollow
        elif fault is not None:
            await self._suffer(fault, do, on)
        await self._clock.sleep(self._latency_s)
        answer = do()
        await self._clock.sleep(self._latency_s)
        return answer

    async def _suffer(self, fault: Fault, do: Callable[[], object], on: str) -> None:
        if fault.effect is Effect.NOT_SENT:
            raise Transient(f"{on}: not sent", venue_code="", text="simulated")
        if fault.effect is Effect.REFUSED:
            raise OrderRefused(f"{on}: refused", venue_code="-2010", text="simulated")
        if fault.effect is Effect.NO_ANSWER:
            _unheard(do)
        elif fault.effect is Effect.LATE and fault.delay_s <= self.validity_s:
            self._start(self._later(fault.delay_s, lambda: _unheard(do)))
        await self._clock.sleep(self.timeout_s)
        raise NoAnswer(f"{on}: no answer within {self.timeout_s} s", venue_code="", text="simulated")

    def _on_report(self, report: OrderReport) -> None:
        fault = self._faults.strike("report", report.cl_ord_id)
        effect = fault.effect if fault is not None else None
        if effect is Effect.SWAPPED and self._held is None:
            self._held = report
            return
        if effect is Effect.LATE and fault is not None:
            self._start(self._later(fault.delay_s, lambda: self._deliver(report)))
            return
        if effect is not Effect.DROPPED:
            self._deliver(report)
        if effect is Effect.TWICE:
            self._deliver(report)
        if self._held is not None:
            held, self._held = self._held, None
            self._deliver(held)

    def _deliver(self, report: OrderReport | TradeReport | TradeAmendment | Connected) -> None:
        for inbox in self._inboxes:
            inbox.put(report)

    async def _later(self, delay_s: float, do: Callable[[], object]) -> None:
        await self._clock.sleep(delay_s)
        do()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


def _unheard(do: Callable[[], object]) -> None:
    """Do it at the venue; nobody hears the answer."""
    with contextlib.suppress(OrchestratorError):
        do()
