"""One shift of a desk: everything between taking the seat and leaving it, thrown away as a whole."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from trading_orchestrator.brokers.port import Broker, Connected, OrderReport, TradeAmendment, TradeReport
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.journal.emergency_notes import EmergencyNotes
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.faultpoint import FaultPoint
from trading_orchestrator.kernel.ids import RandomBytes
from trading_orchestrator.kernel.tenancy import Seat
from trading_orchestrator.market.port import Instrument, Quote
from trading_orchestrator.storage.ports import FactStore, Fence
from trading_orchestrator.trading.arming import arming_at_start
from trading_orchestrator.trading.balance_check import BalanceCheck
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.countdown import Countdown
from trading_orchestrator.trading.emergency import journal_notes
from trading_orchestrator.trading.floor import NowRunning, TradingFloor
from trading_orchestrator.trading.follower import Follower
from trading_orchestrator.trading.intake import Intake, Listener
from trading_orchestrator.trading.key_rights import KeyRights
from trading_orchestrator.trading.key_stop import KeyStop
from trading_orchestrator.trading.key_watch import KeyWatch
from trading_orchestrator.trading.kill_switch import KillSwitch
from trading_orchestrator.trading.loss_watch import LossWatch
from trading_orchestrator.trading.mode_requests import ModeRequests
from trading_orchestrator.trading.operator_acts import Stakes
from trading_orchestrator.trading.orders.finding import Hole
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.polls import Polls
from trading_orchestrator.trading.reconcile import Reconciler
from trading_orchestrator.trading.record import DeskRecord
from trading_orchestrator.trading.replacing import Replacing
from trading_orchestrator.trading.resolve import Resolver
from trading_orchestrator.trading.sender import OrderGateway
from trading_orchestrator.trading.staff import Staff
from trading_orchestrator.trading.strategies.bar_history import BarHistory
from trading_orchestrator.trading.strategies.load import LoadedStrategy
from trading_orchestrator.trading.venue_clock import VenueClock

log = logging.getLogger(__name__)
SAVE_EVERY_S = 0.25
FRESH_QUOTE_NS = 1_000_000_000
Report = OrderReport | TradeReport | TradeAmendment | Connected


@dataclass(frozen=True)
class Surroundings:
    """What outlives a shift; the desk keeps `quotes`, `bars` and `venue_clock` fresh. `live`: real money."""

    config: DeskConfig
    node: str
    store: FactStore
    broker: Broker
    clock: Clock
    random_bytes: RandomBytes
    fault: FaultPoint
    now_running: NowRunning
    strategies: Mapping[str, LoadedStrategy]
    instruments: Mapping[str, Instrument]
    quotes: Mapping[str, Quote]
    bars: BarHistory
    venue_clock: VenueClock
    live: bool = False
    notes: EmergencyNotes | None = None
    is_spared: Callable[[str], bool] = lambda strategy: False


class Shift:
    """Wires record, intake, gateway, resolver, polls and the staff of strategies for one seat.

    A failed append ends a shift (`on_lost`): its Book is ahead of the journal, so nothing of it may be kept. The next
    one starts as after a crash: fold, reconcile, restore. There is one way to recover, and it is used every day; a desk
    that heard nothing for a while asks for it (`begin_anew`).
    """

    def __init__(
        self,
        around: Surroundings,
        follower: Follower,
        seat: Seat,
        on_lost: Callable[[OrchestratorError], None],
        begin_anew: Callable[[], None],
    ) -> None:
        self._around = around
        self._seat = seat
        self._follower = follower
        self._stream: list[Report] | None = []
        self._timers: list[asyncio.Task[None]] = []
        self.began_ns = around.clock.monotonic_ns()
        self.reconciled_ms = 0.0
        clock, config = around.clock, around.config
        self.record = DeskRecord(
            follower.book,
            around.store,
            node=around.node,
            fence=Fence(seat.lease, seat.epoch),
            clock=clock,
            fault=around.fault,
            on_lost=on_lost,
        )
        self._key_stop = KeyStop(
            self.record,
            resumes=config.resume_when_key_works,
            ask_soon=self._ask_soon,
            begin_anew=begin_anew,
        )
        broker = KeyWatch(around.broker, self._key_stop.refused, self._key_stop.accepted)
        listener = Listener(self._on_fill, self._on_order, self._on_hole, self._on_sums)
        self._intake = Intake(self.record, around.store, broker, listener)
        self._gateway = OrderGateway(
            broker,
            seat,
            self._intake,
            clock=clock,
            fault=around.fault,
            on_doubt=self._in_doubt,
            on_left_open=self._left_open,
            on_answer=self._venue_answers,
        )
        self._balances = BalanceCheck(follower.book, broker, clock, config.symbols)
        self._resolver = Resolver(
            self._intake,
            broker,
            seat,
            self._balances,
            config,
            clock=clock,
            random_bytes=around.random_bytes,
            is_under_way=self._gateway.is_under_way,
            mark_px=self._mark_px,
        )
        parts = (self.record, self._intake, broker, self._resolver, self._balances, config)
        wanted = {name: loaded.wants(name).symbols for name, loaded in around.strategies.items()}
        self._reconciler = Reconciler(
            *parts,
            clock=clock,
            venue_clock=around.venue_clock,
            wanted=wanted,
            random_bytes=around.random_bytes,
            is_known_current=follower.saw_decisions,
        )
        self._polls = Polls(*parts, clock=clock)
        self.floor = TradingFloor(
            self.record,
            self._gateway,
            config.risk,
            instruments=around.instruments,
            quotes=around.quotes,
            clock=clock,
            now_running=around.now_running,
            told_seq=lambda: self._intake.told_seq if self.staff.has_begun else None,
            is_held=lambda symbol: symbol in self._balances.held,
            is_spared=around.is_spared,
        )
        self.staff = Staff(
            self.record,
            self.floor,
            around.strategies,
            store=around.store,
            bars=around.bars,
            clock=clock,
            now_running=around.now_running,
        )
        self._loss_watch = LossWatch(
            self.record, config, clock=clock, mark_px=self._mark_px, withdraw=self.floor.withdraw
        )
        self._replacing = Replacing(self.record, self.floor, config, clock)
        stakes = Stakes(live=around.live, symbols=tuple(config.symbols))
        self._requests = ModeRequests(self.record, around.store, clock, stakes)
        self._countdown = Countdown(around.broker, seat, clock)
        self._key_rights = KeyRights(self.record, around.broker, clock, live=around.live)
        self._kill_switch = KillSwitch(
            self.record, self._intake, broker, config, clock=clock, withdraw=self.floor.withdraw
        )

    async def begin(self, trigger: str) -> None:
        """Reconcile, restore the strategies and start them; return when they run.

        Raises:
            Transient: the venue or the journal did not answer; end this shift and try another.
        """
        began_ns = self._around.clock.monotonic_ns()
        await self._around.fault("desk.beginning")
        await self.journal_emergencies()
        durable = await self._reconciler.start_up(trigger, self._drain)
        await self._around.fault("desk.reconciled")
        self.reconciled_ms = (self._around.clock.monotonic_ns() - began_ns) / 1e6
        self._key_stop.reconciled()
        self._check_arming()
        self._key_rights.note()
        self.staff.blame(self._seat.hung_in)
        await self._requests.follow_now()
        await self.staff.begin(self._follower.recent)
        self._show_fresh_quotes()
        self._polls.start()
        self._timers += [
            asyncio.create_task(self._save_now_and_then(), name="save strategies"),
            asyncio.create_task(self._requests.keep_following(), name="follow requests"),
            asyncio.create_task(self._kill_switch.keep_down(), name="kill switch"),
            asyncio.create_task(self._countdown.keep(), name="countdown"),
            asyncio.create_task(self._key_rights.keep_asking(), name="key rights"),
            asyncio.create_task(self._replacing.keep_going(), name="replacing"),
            asyncio.create_task(self._loss_watch.keep_watch(), name="daily loss"),
        ]
        await durable

    async def journal_emergencies(self) -> None:
        """Journal the cancels that any node sent for this desk while the journal took nothing. Raises as a write."""
        notes = self._around.notes
        if notes is not None and (count := await journal_notes(self.record, notes)):
            log.warning("journaled %d cancels that were sent while the journal took nothing", count)
            if self._stream is None:  # else the reconciliation is still to come, and asks for all
                for order in self.record.book.unfinished_orders():
                    if order.requests:
                        self._resolver.watch(order.cl_ord_id)

    async def end(self, deadline_s: float) -> None:
        """Decide nothing more, wait for the answers under way at most `deadline_s`, make everything durable.

        With 0 nothing is waited for, written or sent any more: the seat is another's.
        """
        self.floor.close()
        for timer in self._timers:
            timer.cancel()
        self.staff.leave()
        if deadline_s <= 0:
            self.record.stop()
        await self._gateway.finish(deadline_s)
        if deadline_s > 0:
            await self._countdown.clear()
        await self._polls.close()
        await self._resolver.close()
        await self._intake.close()
        if deadline_s > 0:
            self.floor.save_all()
            await self.record.flush()
        self.record.stop()

    # -- what arrives

    def on_report(self, report: Report) -> None:
        """Take one report of the stream; those that come before the snapshot is applied wait."""
        if self._stream is not None:
            self._stream.append(report)
        elif isinstance(report, Connected):
            self._polls.ask_now()
            self._resolver.nudge()
        else:
            self._intake.hear(report)

    def on_quote(self, quote: Quote) -> None:
        """Judge the day's loss by the new price, then let strategies decide."""
        self._loss_watch.look()
        self.floor.on_quote(quote)

    def _drain(self) -> None:
        waiting, self._stream = self._stream or [], None
        for report in waiting:
            if not isinstance(report, Connected):
                self._intake.hear(report)

    def _on_fill(self, seq: int, order: Order, trade: TradeReport) -> None:
        self.staff.on_fill(seq, order, trade)

    def _on_order(self, order: Order) -> None:
        if self.staff.has_begun:
            self._replacing.look()
            self.floor.on_order(order)

    def _on_hole(self, hole: Hole) -> None:
        """The missing trade may be a frame behind: the poll asks now, the order itself is asked for a little later."""
        self._polls.fetch_trades()
        self._resolver.watch(hole.cl_ord_id, after_s=self._around.config.ask_first_s)

    def _mark_px(self, symbol: str) -> Decimal | None:
        quote = self._around.quotes.get(symbol)
        return (quote.bid_px + quote.ask_px) / 2 if quote is not None else None

    def _in_doubt(self, cl_ord_id: str) -> None:
        self._resolver.watch(cl_ord_id, at_once=True)

    def _left_open(self, cl_ord_id: str) -> None:
        """Its end may be a frame behind."""
        self._resolver.watch(cl_ord_id, after_s=self._around.config.ask_first_s)

    def _ask_soon(self, kinds: Iterable[str]) -> None:
        self._polls.ask_soon(kinds)

    def _venue_answers(self) -> None:
        self._resolver.nudge()

    def _on_sums(self) -> None:
        self._balances.moved()
        self._loss_watch.look()

    def _show_fresh_quotes(self) -> None:
        """Do not wait for the next quote to decide: the newest one is milliseconds old while the feed is up."""
        now_ns = self._around.clock.monotonic_ns()
        for quote in list(self._around.quotes.values()):
            if now_ns - quote.received_ns < FRESH_QUOTE_NS:
                self.on_quote(quote)

    def _check_arming(self) -> None:
        around = self._around
        said = arming_at_start(self.record.book, live=around.live, broker=around.config.broker)
        if said is not None:
            self.record.write(said)

    async def _save_now_and_then(self) -> None:
        while True:
            await self._around.clock.sleep(SAVE_EVERY_S)
            self.floor.save_all()
