"""The network between nodes and the simulated venue: what leaves arrives whenever, or never, whoever has died."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol, TypeVar

from msgspec import structs

from trading_orchestrator.brokers.budget import ASKING, LAST_LOOK, BudgetConfig, Purpose, RequestBudget
from trading_orchestrator.brokers.port import (
    Balance,
    Connected,
    DuplicateOrder,
    KeyRefused,
    NewOrder,
    NoAnswer,
    OrderNotFound,
    OrderRefused,
    OrderReport,
    TradeReport,
)
from trading_orchestrator.brokers.simulated.venue import SimulatedVenue
from trading_orchestrator.errors import OrchestratorError, Transient
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.market.inbox import Inbox
from trading_orchestrator.simulation.aims import Aims
from trading_orchestrator.simulation.chance import Chance
from trading_orchestrator.simulation.event_loop import VirtualLoop
from trading_orchestrator.simulation.faults import (
    CALL_KINDS,
    FORGOTTEN_RATIO,
    QUERY_KINDS,
    REPORT_KINDS,
    SUBMIT_KINDS,
    FaultKind,
    Rates,
    drawn,
)
from trading_orchestrator.trading.orders.life import At

T = TypeVar("T")
_PURPOSE_OF = {"submit": Purpose.ORDER, "cancel": Purpose.CANCEL}
Report = OrderReport | TradeReport | Connected

VALIDITY_S = 0.5
TIMEOUT_S = 0.25
LATENCY_S = (0.0005, 0.02)
LAG_S = 1.0
FORGOTTEN_S = (2.6, 4.5)
"""Longer than the grace, and shorter than trades are asked for again (`poll_overlap_s`)."""
BAN_S = 0.5
CANCEL_MAY_WAIT_S = 0.05
"""A cancel goes to the bottom of the budget and waits for other cancels at most: one more refills in this time."""


class Witness(Protocol):
    """Who watches the wire."""

    def sent(self, node: str, order: NewOrder) -> None:
        """An order's bytes leave a node, now."""

    def cancel_sent(self, node: str, cl_ord_id: str) -> None:
        """A cancel's bytes leave a node, now."""

    def cancel_waited(self, node: str, cl_ord_id: str, waited_s: float) -> None:
        """The node's request budget kept a cancel back, and no ban was the reason."""

    def answered(self, node: str, on: str, cl_ord_id: str, outcome: object) -> None:
        """An answer reached the node that asked: a report, or the error it stands for."""

    def struck(self, kind: FaultKind, cl_ord_id: str) -> None:
        """A fault struck a call or a report about an order."""

    def state_of(self, cl_ord_id: str) -> At | None:
        """Return where the journal has one of our orders now, None when it does not know it."""

    def has_untold_fills(self, cl_ord_id: str) -> bool:
        """Return whether one of our orders has filled at the venue, and the journal does not know it yet."""

    def asked(self, node: str) -> None:
        """A request of any kind leaves."""


class Network:
    """All that lies between: latency, loss, and what is under way when its sender dies.

    Packets belong to the world, not to a node, so they arrive after their sender is gone.

    Args:
        names_orders: whether lists of trades name our id of their order; Binance's name its own alone.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        venue: SimulatedVenue,
        venue_clock: Clock,
        chance: Chance,
        witness: Witness,
        rates: Rates,
        *,
        budget: BudgetConfig,
        names_orders: bool,
    ) -> None:
        self.loop = loop
        self.venue = venue
        self.venue_clock = venue_clock
        self.chance = chance
        self.witness = witness
        self.rates = rates
        self.budget = budget
        self.names_orders = names_orders
        self.is_out = self.is_blind = self.is_quiet = self.is_halted = self.is_revoked = False
        self.aims: Aims | None = None
        self._forgotten: dict[str, tuple[float, bool]] = {}
        self._submit_kinds, self._call_kinds = drawn(SUBMIT_KINDS), drawn(CALL_KINDS)
        self._query_kinds, self._report_kinds = drawn(QUERY_KINDS), drawn(REPORT_KINDS)
        self.accepted_ns: dict[str, int] = {}
        self.under_way: set[str] = set()
        self.world = contextvars.copy_context()
        venue.on_report.append(self._note_acceptance)

    def _note_acceptance(self, report: OrderReport) -> None:
        self.accepted_ns.setdefault(report.cl_ord_id, report.at_ns)

    def later(self, delay_s: float, do: Callable[..., object], *args: Any) -> None:
        self.loop.call_later(delay_s, do, *args, context=self.world)

    def latency_s(self) -> float:
        return self.chance.between(*LATENCY_S)

    def strike(self, on: str, cl_ord_id: str) -> FaultKind | None:
        """Return what happens to this call or report, or None."""
        kinds, ratio = self._odds(on)
        kind = self.chance.pick(kinds) if self.chance.hits(ratio) else None
        if on == "order" and ratio and self.witness.has_untold_fills(cl_ord_id):
            kinds = [*kinds, FaultKind.FORGOTTEN]
            kind = FaultKind.FORGOTTEN if self.chance.hits(FORGOTTEN_RATIO) else kind
        if self.aims is not None and self.aims.wants_messages:
            kind = self.aims.of_message(on, kinds, self.witness.state_of(cl_ord_id)) or kind
        if kind is FaultKind.FORGOTTEN:
            until_s = self.loop.time() + self.chance.between(*FORGOTTEN_S)
            self._forgotten.setdefault(cl_ord_id, (until_s, self.chance.hits(0.5)))
        if kind is not None:
            self.witness.struck(kind, cl_ord_id)
        return kind

    def is_forgotten(self, cl_ord_id: str, *, trades_too: bool = False) -> bool:
        """Return whether the replicas that answer do not know this order now, or not even its trades."""
        until_s, with_trades = self._forgotten.get(cl_ord_id, (0.0, False))
        return self.loop.time() < until_s and (with_trades or not trades_too)

    def _odds(self, on: str) -> tuple[Sequence[FaultKind], float]:
        if on == "submit":
            return self._submit_kinds, self.rates.submit_ratio
        if on == "cancel":
            return self._call_kinds, self.rates.submit_ratio
        if on == "report":
            return self._report_kinds, self.rates.report_ratio
        return self._query_kinds, self.rates.query_ratio


class Wire:
    """One node's `Broker`: its requests and its stream of reports."""

    validity_s = VALIDITY_S
    timeout_s = TIMEOUT_S

    def __init__(self, network: Network, node: str, clock: Clock) -> None:
        self._network = network
        self._node = node
        self._clock = clock
        self._inbox: Inbox[Report] | None = None
        self._newest_at_s = 0.0
        self._banned_until_s = 0.0
        self.stood_still_until_s = 0.0
        self.budget = RequestBudget(network.budget, clock=clock)
        self.is_mute = False
        self.is_cut = False
        network.venue.on_report.append(self._on_report)

    async def connect(self) -> None:
        await self._ask("connect", lambda: None)

    async def submit(self, order: NewOrder) -> OrderReport:
        await self._may_be_stopped()
        await self._pass_budget("submit", order.cl_ord_id)
        LAST_LOOK.get()()
        self._network.witness.sent(self._node, order)
        return await self._ask("submit", lambda: self._network.venue.accept(order), order.cl_ord_id)

    async def cancel(self, symbol: str, cl_ord_id: str) -> OrderReport:
        await self._may_be_stopped()
        since_s = self._network.loop.time()
        await self._pass_budget("cancel")
        waited_s = self._network.loop.time() - max(since_s, self._banned_until_s, self.stood_still_until_s)
        if waited_s > CANCEL_MAY_WAIT_S:
            self._network.witness.cancel_waited(self._node, cl_ord_id, waited_s)
        LAST_LOOK.get()()
        self._network.witness.cancel_sent(self._node, cl_ord_id)
        return await self._ask("cancel", lambda: self._network.venue.cancel(symbol, cl_ord_id), cl_ord_id)

    async def order(self, symbol: str, cl_ord_id: str) -> OrderReport:
        return await self._ask("order", lambda: self._network.venue.order(symbol, cl_ord_id), cl_ord_id)

    async def open_orders(self, symbols: Sequence[str]) -> Sequence[OrderReport]:
        return await self._ask("open_orders", lambda: self._network.venue.open_orders(symbols))

    async def trades(
        self, symbol: str, *, after_id: str | None = None, since_ns: int | None = None
    ) -> Sequence[TradeReport]:
        return await self._ask("trades", lambda: self._named(self._network.venue.trades(symbol, after_id, since_ns)))

    async def trades_of(self, symbol: str, venue_order_id: str) -> Sequence[TradeReport]:
        return await self._ask("trades", lambda: self._named(self._network.venue.trades_of(symbol, venue_order_id)))

    async def balances(self) -> Sequence[Balance]:
        return await self._ask("balances", self._network.venue.balances)

    async def clock_offset_s(self) -> float:
        venue_ns: int = await self._ask("time", self._network.venue_clock.wall_ns)
        return (venue_ns - self._clock.wall_ns()) / 1e9

    async def reports(self) -> AsyncIterator[Report]:
        inbox = self._inbox = Inbox[Report]()
        inbox.put(Connected(self._clock.wall_ns()))
        async for report in inbox:
            yield report

    async def close(self) -> None:
        """End the stream; what is under way still arrives."""
        await self.budget.close()
        self.unplug()
        if self._inbox is not None:
            self._inbox.end()

    def unplug(self) -> None:
        """Nobody listens any more."""
        if self._on_report in self._network.venue.on_report:
            self._network.venue.on_report.remove(self._on_report)

    def mend(self) -> None:
        """The stream speaks again; after a cut its reader is told so, after a silence nobody tells."""
        if self.is_cut and self._inbox is not None:
            self._inbox.put(Connected(self._clock.wall_ns()))
        self.is_mute = self.is_cut = False

    # -- requests

    def _named(self, trades: list[TradeReport]) -> list[TradeReport]:
        trades = [trade for trade in trades if not self._network.is_forgotten(trade.cl_ord_id, trades_too=True)]
        return trades if self._network.names_orders else [structs.replace(trade, cl_ord_id="") for trade in trades]

    async def _may_be_stopped(self) -> None:
        """A process may be stopped between its look and its stamp; whoever stamps looks again, as with ccxt.

        Before the budget is passed: from there to the stamp ccxt lets nobody else run, who could hear of a ban.
        """
        await self._clock.sleep(0.0)

    async def _pass_budget(self, on: str, cl_ord_id: str = "") -> None:
        try:
            await self.budget.enter(1.0, _PURPOSE_OF.get(on) or ASKING.get())
        except Transient as error:
            self._network.witness.answered(self._node, on, cl_ord_id, error)
            raise

    async def _ask(self, on: str, do: Callable[[], T], cl_ord_id: str = "") -> T:
        network = self._network
        if on not in _PURPOSE_OF:
            await self._pass_budget(on)
        network.witness.asked(self._node)
        fault = network.strike(on, cl_ord_id)
        answer: asyncio.Future[T] = network.loop.create_future()
        answer.add_done_callback(_noted, context=network.world)
        if fault is FaultKind.UNSENT:
            answer.set_exception(Transient(f"{on}: not sent", venue_code="", text="simulated"))
        else:
            if fault is not FaultKind.LOST:
                if on == "submit":
                    network.under_way.add(cl_ord_id)
                request = _Request(self, on, do, cl_ord_id, fault, answer, self._clock.wall_ns())
                network.later(self._way_out_s(fault), request.arrive)
                del request
            network.later(TIMEOUT_S, _time_out, answer, on)
        try:
            found = await answer
        except OrchestratorError as error:
            if isinstance(error, Transient) and error.retry_after_s:
                self._banned_until_s = network.loop.time() + error.retry_after_s
                self.budget.pause(error.retry_after_s)
            network.witness.answered(self._node, on, cl_ord_id, error)
            raise
        finally:
            del answer  # its error would hold this frame, and the frame the answer, until somebody collects
        network.witness.answered(self._node, on, cl_ord_id, found)
        return found

    def _way_out_s(self, fault: FaultKind | None) -> float:
        if fault is FaultKind.LATE:
            return self._network.chance.between(TIMEOUT_S, VALIDITY_S * 1.2)
        return self._network.latency_s()

    # -- reports

    def _on_report(self, report: OrderReport) -> None:
        network = self._network
        if self.is_mute or self.is_cut or network.is_out or network.is_quiet:
            return
        fault = network.strike("report", report.cl_ord_id)
        if fault is FaultKind.DROPPED:
            return
        now_s = network.loop.time()
        at_s = max(now_s + network.latency_s(), self._newest_at_s + 1e-6)
        if fault is FaultKind.DELAYED:
            at_s += network.chance.between(0.01, 1.5)
        else:
            self._newest_at_s = at_s
        network.later(at_s - now_s, self._deliver, report)
        if fault is FaultKind.TWICE:
            network.later(at_s - now_s + network.chance.between(0.0, 0.5), self._deliver, report)

    def _deliver(self, report: OrderReport) -> None:
        if self._inbox is not None and not (self.is_mute or self.is_cut):
            self._inbox.put(report)


class _Request:
    """A packet on its way there, and its answer on the way back."""

    def __init__(
        self,
        wire: Wire,
        on: str,
        do: Callable[[], Any],
        cl_ord_id: str,
        fault: FaultKind | None,
        answer: asyncio.Future[Any],
        stamped_ns: int,
    ) -> None:
        self._network = wire._network
        self._on = on
        self._do = do
        self._cl_ord_id = cl_ord_id
        self._fault = fault
        self._answer = answer
        self._stamped_ns = stamped_ns

    def arrive(self) -> None:
        self._network.under_way.discard(self._cl_ord_id)
        if self._network.is_out:
            return
        try:
            outcome: object = self._at_the_venue()
        except OrchestratorError as error:
            outcome = error.with_traceback(None)  # which would hold this frame, and the frame the error
        if self._fault in (FaultKind.GHOST, FaultKind.LATE):
            return
        if self._fault is FaultKind.GARBLED:
            outcome = NoAnswer(f"{self._on}: 503", venue_code="503", text="simulated")
        self._network.later(self._network.latency_s(), self._come_back, outcome)

    def _at_the_venue(self) -> object:
        fault, venue_ns = self._fault, self._network.venue_clock.wall_ns()
        if self._on not in ("connect", "time") and abs(venue_ns - self._stamped_ns) > VALIDITY_S * 1e9:
            raise Transient("-1021 Timestamp outside of the recvWindow.", venue_code="-1021", text="recvWindow")
        if self._network.is_revoked:
            raise KeyRefused("-2015 Invalid API-key.", venue_code="-2015", text="Invalid API-key.")
        if self._network.is_halted and self._on == "submit":
            raise OrderRefused("-1013 Market is closed.", venue_code="-1013", text="Market is closed.")
        if self._network.is_blind and self._on not in _PURPOSE_OF:
            raise NoAnswer(f"{self._on}: 503", venue_code="503", text="simulated")
        if fault is FaultKind.BANNED:
            raise Transient(f"{self._on}: too many requests", retry_after_s=BAN_S, venue_code="-1003", text="banned")
        if fault is FaultKind.REFUSED:
            raise OrderRefused(f"{self._on}: refused", venue_code="-2010", text="simulated")
        if self._on == "order" and self._network.is_forgotten(self._cl_ord_id):
            raise OrderNotFound("-2013 Order does not exist.", venue_code="-2013", text="Order does not exist.")
        found = self._do()
        if fault is FaultKind.DOUBLED and any(
            report.cl_ord_id == self._cl_ord_id for report in self._network.venue.open_orders([_symbol(found)])
        ):
            raise DuplicateOrder("-2010 Duplicate order sent.", venue_code="-2010", text="Duplicate order sent.")
        return self._lagging(found) if fault is FaultKind.LAGGING else found

    def _lagging(self, found: object) -> object:
        """Return the answer as a replica had it `LAG_S` ago, as far as new things go."""
        since_ns = self._network.venue_clock.wall_ns() - int(LAG_S * 1e9)
        if isinstance(found, list):
            return [item for item in found if not isinstance(item, TradeReport) or item.at_ns < since_ns]
        if self._on == "order" and self._network.accepted_ns.get(self._cl_ord_id, 0) >= since_ns:
            raise OrderNotFound("-2013 Order does not exist.", venue_code="-2013", text="Order does not exist.")
        return found

    def _come_back(self, outcome: object) -> None:
        if self._network.is_out or self._answer.done():
            return
        if isinstance(outcome, OrchestratorError):
            self._answer.set_exception(outcome)
        else:
            self._answer.set_result(outcome)


def _symbol(found: object) -> str:
    return found.symbol if isinstance(found, OrderReport) else ""


def _time_out(answer: asyncio.Future[Any], on: str) -> None:
    if not answer.done():
        silence = f"{on}: no answer within {TIMEOUT_S} s"
        answer.set_exception(NoAnswer(silence, venue_code="", text="simulated"))


def _noted(answer: asyncio.Future[Any]) -> None:
    """Whoever asked may be dead by now; that nobody hears an error is then no news."""
    if not answer.cancelled():
        answer.exception()
