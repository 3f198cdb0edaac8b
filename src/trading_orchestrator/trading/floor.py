"""The trading floor: runs strategies' callbacks one at a time and turns what they decide into durable intents."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from trading_orchestrator.brokers.port import NewOrder, TradeReport
from trading_orchestrator.errors import Broken, Refused
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.money import ZERO, plain
from trading_orchestrator.market.port import Bar, Instrument, Quote
from trading_orchestrator.trading.admission import Admission
from trading_orchestrator.trading.facts import (
    CancelIntended,
    OrderDenied,
    OrderIntended,
    ReplacementDropped,
    ReplacementIntended,
    StrategySaved,
)
from trading_orchestrator.trading.orders.client_id import cl_ord_id, request_id
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.record import DeskRecord
from trading_orchestrator.trading.risk.check import no_number
from trading_orchestrator.trading.risk.limits import RiskLimits, RiskRefused
from trading_orchestrator.trading.sender import OrderGateway
from trading_orchestrator.trading.strategies.load import AnyStrategy
from trading_orchestrator.trading.strategies.memory import saved
from trading_orchestrator.trading.strategies.progress import Progress
from trading_orchestrator.trading.strategies.strategy import Wants

log = logging.getLogger(__name__)
NowRunning = Callable[[str], None]
DENIALS_APART_NS = 1_000_000_000
STANDING_DENIALS_APART_NS = 60_000_000_000
"""For what a human has to end: a desk may wait for days to be armed."""
STANDING = ("risk.mode", "risk.symbol_blocked", "risk.load_shed")


class NotNow(Refused):
    """The desk takes no new orders at the moment: it is leaving, its lease is late, or the venue asked for a pause."""

    code = "desk.not_now"


@dataclass
class Performer:
    """A strategy at work. `seq`, `bars`: how far into trades and bars its state reaches (see Memory).

    `behind`: trades may have been told that it was not given, so that its `seq` alone says how far it is.
    """

    name: str
    strategy: AnyStrategy
    wants: Wants
    seq: int = 0
    bars: dict[str, int] = field(default_factory=dict)
    unsaved: bool = False
    stopped_by: str = ""
    refused_with: str = ""
    behind: bool = False
    progress: Progress = field(default_factory=Progress)


@dataclass
class _Decisions:
    """What one callback decided, in order; `told`: it staged something that sends nothing."""

    asked: list[NewOrder | CancelIntended] = field(default_factory=list)
    told: bool = False


class TradingFloor:
    """Implements `Floor` for every strategy of a desk.

    A callback and everything it decides is one step without an await: each order is checked and reserved in the Book
    as it is submitted, and the step's facts are one append, with the strategy's state. Sending waits for that append.
    """

    def __init__(
        self,
        record: DeskRecord,
        gateway: OrderGateway,
        limits: RiskLimits,
        *,
        instruments: Mapping[str, Instrument],
        quotes: Mapping[str, Quote],
        clock: Clock,
        now_running: NowRunning,
        told_seq: Callable[[], int | None],
        is_held: Callable[[str], bool],
        is_spared: Callable[[str], bool] = lambda strategy: False,
    ) -> None:
        self._record = record
        self._gateway = gateway
        self._admission = Admission(
            record.book, limits, instruments=instruments, quotes=quotes, clock=clock, is_held=is_held
        )
        self._clock = clock
        self._now_running = now_running
        self._told_seq = told_seq
        self._is_spared = is_spared
        self._performers: dict[str, Performer] = {}
        self._returning: set[str] = set()
        self._decisions: _Decisions | None = None
        self._held: deque[Callable[[], None]] = deque()
        self.at_work = ""
        self._denied_ns: dict[tuple[str, str, str], int] = {}
        self._closed = False

    @property
    def performers(self) -> Sequence[Performer]:
        return tuple(self._performers.values())

    @property
    def is_closed(self) -> bool:
        """Return whether nothing new is decided here any more."""
        return self._closed

    def enter(self, performer: Performer) -> None:
        """Let a strategy trade from now on."""
        self._performers[performer.name] = performer
        self._returning.discard(performer.name)

    def leave(self, name: str) -> None:
        """Let a strategy trade no more until it enters anew, or is stopped; what it left open stays and waits."""
        self._performers.pop(name, None)
        self._returning.add(name)

    def stop(self, name: str, why: str) -> None:
        """Call a strategy no more, and ask for the cancellation of what it left open."""
        self._returning.discard(name)
        performer = self._performers.get(name)
        if performer is not None and not performer.stopped_by:
            performer.stopped_by, performer.behind = why, True
        self.withdraw(self.orders(name), why)

    def close(self) -> None:
        """Call no strategy any more, so that nothing new is decided."""
        self._closed = True

    # -- events for strategies

    def on_quote(self, quote: Quote) -> None:
        for performer in self.performers:  # as they are now: while a callback turns the loop, one may come or go
            if quote.symbol in performer.wants.symbols:
                self._call(performer, performer.strategy.on_quote, quote)

    def on_bar(self, bar_s: int, bar: Bar) -> None:
        for performer in self.performers:
            if bar_s == performer.wants.bar_s and bar.symbol in performer.wants.symbols:
                self.hand_bar(performer, bar)

    def hand_bar(self, performer: Performer, bar: Bar) -> None:
        """Give one closed bar to one strategy; what its state reflects already is left out."""

        def mark() -> None:
            performer.bars[bar.symbol] = bar.close_ns

        if bar.close_ns > performer.bars.get(bar.symbol, 0):
            self._call(performer, performer.strategy.on_bar, bar, mark=mark)

    def on_fill(self, seq: int, order: Order, trade: TradeReport) -> None:
        """Give one booked trade to the strategy of its order; `seq` is its fact's place in the stream."""
        performer = self._performers.get(order.strategy)
        if performer is None or seq <= performer.seq:
            return

        def mark() -> None:
            performer.seq = seq

        self._call(performer, performer.strategy.on_fill, order, trade, mark=mark)

    def on_order(self, order: Order) -> None:
        performer = self._performers.get(order.strategy)
        if performer is not None:
            self._call(performer, performer.strategy.on_order, order, mark=nothing_to_mark)

    def on_timer(self, performer: Performer) -> None:
        if performer.wants.timer_s is not None:
            performer.progress.expect_tick(self._clock.monotonic_ns(), performer.wants.timer_s)
        self._call(performer, performer.strategy.on_timer)

    def on_start(self, performer: Performer) -> None:
        if performer.wants.timer_s is not None:
            performer.progress.expect_tick(self._clock.monotonic_ns(), performer.wants.timer_s)
        self._call(performer, performer.strategy.on_start, mark=nothing_to_mark)

    def save_all(self) -> None:
        """Save the state of every strategy that moved without deciding anything."""
        whole = [performer for performer in self._performers.values() if performer.name != self.at_work]
        unsaved = [performer for performer in whole if performer.unsaved]
        if unsaved and not self._record.is_lost:
            self._record.write(*(self._saved(performer) for performer in unsaved))

    # -- what a strategy sees and does (Floor)

    def submit(self, strategy: str, order: NewOrder) -> str:
        decisions = self._deciding()
        self._check_open(strategy)
        notional, refusal = self._admission.judge(order, is_spared=self._is_spared(strategy))
        if refusal is not None:
            try:
                self._deny(decisions, strategy, order, refusal)
                raise refusal
            finally:
                del refusal  # it would hold this frame, and the frame it, until the collector comes
        intent_id, order = self._named(strategy, order)
        self._record.stage(
            OrderIntended(intent_id=intent_id, generation=0, strategy=strategy, order=order, reserved_notional=notional)
        )
        decisions.asked.append(order)
        return order.cl_ord_id

    def cancel(self, strategy: str, cl_ord_id: str, reason: str) -> None:
        decisions = self._deciding()
        order = self._own(strategy, cl_ord_id)
        if order is None:
            return
        if order.cl_ord_id in self._record.book.replacements():
            self._record.stage(ReplacementDropped(cl_ord_id=order.cl_ord_id, reason="its strategy canceled it"))
            decisions.told = True
        if not order.is_closed and not _is_asked(order):
            decisions.asked.append(self._ask_to_cancel(order, reason))

    def replace(self, strategy: str, cl_ord_id: str, qty: Decimal | None, px: Decimal | None, reason: str) -> None:
        decisions = self._deciding()
        order = self._own(strategy, cl_ord_id)
        if order is None or order.is_closed or _is_asked(order):
            return
        new_qty, new_px = order.effective_qty if qty is None else qty, order.px if px is None else px
        if (refusal := no_number(new_qty, new_px)) is not None:
            raise refusal
        if (new_qty, new_px) == (order.effective_qty, order.px):
            return
        if new_qty <= order.cum_qty:
            raise Refused(
                f"expected a quantity above the {plain(order.cum_qty)} that traded already, was {plain(new_qty)}: "
                "cancel the order instead",
                id=cl_ord_id,
            )
        self._check_open(strategy)
        rest_qty = new_qty - order.cum_qty
        rest = NewOrder("", order.symbol, order.side, order.ord_type, rest_qty, new_px, order.time_in_force)
        judged = self._admission.judge(rest, replacing=order, is_spared=self._is_spared(strategy))
        if judged.refusal is not None:
            raise judged.refusal
        asked = self._ask_to_cancel(order, reason or "to be replaced")
        self._record.stage(
            ReplacementIntended(
                cl_ord_id=order.cl_ord_id, request_id=asked.request_id, order_qty=new_qty, px=new_px, reason=reason
            )
        )
        decisions.asked.append(asked)

    def submit_in_place_of(self, order: Order, rest: NewOrder) -> None:
        """Decide what remains of a replaced order, which is proved closed; outside of any callback.

        Nothing happens while no order may leave: it is asked for again.

        Raises:
            Refused: a limit, the desk's mode, or its strategy is not at work; nothing was decided.
        """
        if self._closed or order.strategy in self._returning or not self._gateway.takes_orders:
            return
        performer = self._performers.get(order.strategy)
        if performer is None or performer.stopped_by:
            raise Refused(f"strategy {order.strategy} is not at work", id=order.cl_ord_id)
        intent_id, rest = self._named(order.strategy, rest)
        judged = self._admission.judge(rest, replacing=order)
        if judged.refusal is not None:
            raise judged.refusal
        self._record.stage(
            OrderIntended(
                intent_id=intent_id,
                generation=0,
                strategy=order.strategy,
                order=rest,
                reserved_notional=judged.notional,
                replaces=order.cl_ord_id,
            )
        )
        self._dispatch([rest], self._record.commit())

    def _named(self, strategy: str, order: NewOrder) -> tuple[str, NewOrder]:
        """Return the id of the strategy's next intent, and the order under the client id that follows from it."""
        book = self._record.book
        intent_id = book.next_intent_id(strategy)
        return intent_id, msgspec.structs.replace(order, cl_ord_id=cl_ord_id(book.account, book.timeline, intent_id, 0))

    def _own(self, strategy: str, cl_ord_id: str) -> Order | None:
        order = self._record.book.order(cl_ord_id)
        if order is not None and order.strategy != strategy:
            raise Refused(f"expected an order of {strategy}, was one of {order.strategy or 'nobody'}", id=cl_ord_id)
        return order

    def _ask_to_cancel(self, order: Order, reason: str) -> CancelIntended:
        request = request_id(order.cl_ord_id, order.request_count + 1)
        asked = CancelIntended(cl_ord_id=order.cl_ord_id, request_id=request, reason=reason)
        self._record.stage(asked)
        return asked

    def _check_open(self, strategy: str) -> None:
        if self._closed or self._record.is_lost or not self._gateway.takes_orders:
            raise NotNow("the desk takes no new orders at the moment", strategy=strategy)
        performer = self._performers.get(strategy)
        if performer is None or performer.stopped_by:  # while its callback turned the loop
            raise Refused(f"strategy {strategy} is not at work any more", strategy=strategy)

    def orders(self, strategy: str) -> Sequence[Order]:
        return [order for order in self._record.book.open_orders() if order.strategy == strategy]

    def position_qty(self, symbol: str) -> Decimal:
        return self._record.book.position(symbol).qty

    def instrument(self, symbol: str) -> Instrument:
        return self._admission.instrument(symbol)

    def quote(self, symbol: str) -> Quote | None:
        return self._admission.quote(symbol)

    def now_ns(self) -> int:
        return self._clock.wall_ns()

    def withdraw(self, orders: Sequence[Order], reason: str) -> None:
        """Ask for the cancellation of orders of the desk itself, whoever decided them; outside of any callback."""
        if self._record.is_lost:
            return
        asked = [
            self._ask_to_cancel(order, reason)
            for order in orders
            if not (order.is_closed or order.foreign or _is_asked(order))
        ]
        if asked:
            self._dispatch(asked, self._record.commit())

    # -- one step

    def _call(
        self,
        performer: Performer,
        callback: Callable[..., None],
        *args: Any,
        mark: Callable[[], None] | None = None,
    ) -> None:
        """Give one event to one strategy: now, or after the step during which a callback turns the loop itself.

        Args:
            mark: notes the event as seen; called only when the strategy is, so that what it was not given is
                given to its successor. None for what nobody misses.
        """
        if performer.stopped_by:
            return
        performer.progress.came(self._clock.monotonic_ns())
        self._held.append(partial(self._perform, performer, callback, *args, mark=mark))
        while self._held and self._decisions is None:
            self._held.popleft()()

    def _perform(
        self, performer: Performer, callback: Callable[..., None], *args: Any, mark: Callable[[], None] | None
    ) -> None:
        if performer.stopped_by or self._performers.get(performer.name) is not performer:
            return
        if self._closed or self._record.is_lost:
            performer.behind = performer.behind or mark is not None
            return
        if mark is not None:
            mark()
            performer.unsaved = True
        self._step(performer, callback, *args)

    def _step(self, performer: Performer, callback: Callable[..., None], *args: Any) -> None:
        self._decisions = _Decisions()
        self.at_work = performer.name
        self._now_running(performer.name)
        try:
            callback(*args)
        except Refused as refusal:
            if refusal.message != performer.refused_with:  # each denial is in the journal; this is for whoever watches
                log.info("%s: %s", performer.name, refusal.message)
            performer.refused_with = refusal.message
        except (Exception, SystemExit) as error:  # noqa: BLE001 - foreign code: it must not take the desk with it
            if not self._record.is_lost:
                self._stop(performer, error)
        finally:
            self._now_running("")
            self.at_work = ""
            performer.progress.handled()
            decisions, self._decisions = self._decisions, None
        if decisions.asked:
            self._send(performer, decisions.asked)
        elif decisions.told:
            self._record.commit()

    def _send(self, performer: Performer, decided: Sequence[NewOrder | CancelIntended]) -> None:
        self._record.stage(self._saved(performer))
        self._dispatch(decided, self._record.commit())

    def _dispatch(self, decided: Sequence[NewOrder | CancelIntended], durable: asyncio.Future[None]) -> None:
        for each in decided:
            if isinstance(each, NewOrder):
                self._gateway.submit(each, durable)
            else:
                self._gateway.cancel(self._symbol_of(each), each.cl_ord_id, each.request_id, durable)

    def _symbol_of(self, asked: CancelIntended) -> str:
        order = self._record.book.order(asked.cl_ord_id)
        if order is None:
            raise Broken(f"order {asked.cl_ord_id} left the book while its cancel was decided")
        return order.symbol

    def _deny(self, decisions: _Decisions, strategy: str, order: NewOrder, refusal: RiskRefused) -> None:
        """Journal what our own risk refused: it tells an operator why nothing is traded.

        A strategy may try again with every quote: of each reason, one a second is enough, or one a minute.
        """
        now_ns = self._clock.monotonic_ns()
        reason = (strategy, order.symbol, refusal.rule)
        apart_ns = STANDING_DENIALS_APART_NS if refusal.rule in STANDING else DENIALS_APART_NS
        if now_ns - self._denied_ns.get(reason, -apart_ns) < apart_ns:
            return
        self._denied_ns[reason] = now_ns
        decisions.told = True
        intent_id, order = self._named(strategy, order)
        self._record.stage(
            OrderDenied(
                intent_id=intent_id,
                generation=0,
                strategy=strategy,
                order=_storable(order),
                code=refusal.rule,
                text=refusal.message,
            )
        )

    def _stop(self, performer: Performer, error: Exception | SystemExit) -> None:
        """A strategy whose callback failed is called no more; what it left open is canceled."""
        performer.stopped_by, performer.behind = f"{type(error).__name__}: {error}", True
        log.error("strategy %s stopped: %s", performer.name, performer.stopped_by, exc_info=error)
        for order in self.orders(performer.name):
            self.cancel(performer.name, order.cl_ord_id, "its strategy failed")

    def _deciding(self) -> _Decisions:
        if self._decisions is None:
            raise Broken("submit, replace and cancel may be called within a strategy's callback only")
        return self._decisions

    def _saved(self, performer: Performer) -> StrategySaved:
        performer.unsaved = False
        if not performer.behind and not self._held:
            performer.seq = self._told_seq() or performer.seq
        return StrategySaved(
            strategy=performer.name, state=saved(performer.strategy.state, performer.seq, performer.bars)
        )


def nothing_to_mark() -> None:
    """For an event that changes the state, and of which a successor is told anew."""


def _storable(order: NewOrder) -> NewOrder:
    """Return a denied order as it is kept: what is no number cannot be reckoned with later; the denial names it."""
    qty = order.order_qty if order.order_qty.is_finite() else ZERO
    px = order.px if order.px is None or order.px.is_finite() else ZERO
    return msgspec.structs.replace(order, order_qty=qty, px=px)


def _is_asked(order: Order) -> bool:
    return any(request.is_open for request in order.requests)
