"""One shift of a desk: everything between taking the seat and leaving it, thrown away as a whole."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading_orchestrator.brokers.port import Broker, Connected, KeyRefused, OrderReport, TradeAmendment, TradeReport
from trading_orchestrator.errors import OrchestratorError, Refused
from trading_orchestrator.journal.emergency_notes import EmergencyNotes
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.faultpoint import FaultPoint
from trading_orchestrator.kernel.ids import RandomBytes
from trading_orchestrator.kernel.tenancy import Seat
from trading_orchestrator.market.port import Bar, Instrument, Quote
from trading_orchestrator.storage.ports import FactStore, Fence
from trading_orchestrator.trading.arming import arming_at_start
from trading_orchestrator.trading.balance_check import BalanceCheck
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.countdown import Countdown
from trading_orchestrator.trading.emergency import journal_notes
from trading_orchestrator.trading.facts import (
    DeskKeyRefused,
    DeskModeChanged,
    StrategyBlamed,
    StrategyDisabled,
    StrategyRestarted,
)
from trading_orchestrator.trading.floor import NowRunning, Performer, TradingFloor
from trading_orchestrator.trading.follower import Follower
from trading_orchestrator.trading.intake import Intake, Listener
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
from trading_orchestrator.trading.strategies.bar_history import BarHistory
from trading_orchestrator.trading.strategies.load import LoadedStrategy
from trading_orchestrator.trading.strategies.memory import restored, state_of
from trading_orchestrator.trading.strategies.missed_fills import BookedTrade, RecentTrades, order_of, trades_after
from trading_orchestrator.trading.venue_clock import VenueClock

log = logging.getLogger(__name__)
SAVE_EVERY_S = 0.25
BLAMED_MOST = 2
FRESH_QUOTE_NS = 1_000_000_000
Report = OrderReport | TradeReport | TradeAmendment | Connected


class CallbackUnderWay(Refused):
    """A callback of the strategy has not returned: only a fresh process ends it. Facts: strategy."""

    code = "strategy.callback_under_way"


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
    """Wires record, intake, gateway, resolver, polls and strategies for one seat.

    A failed append ends a shift (`on_lost`): its Book is ahead of the journal, so nothing of it may be kept. The next
    one starts as after a crash: fold, reconcile, restore. There is one way to recover, and it is used every day.
    """

    def __init__(
        self, around: Surroundings, follower: Follower, seat: Seat, on_lost: Callable[[OrchestratorError], None]
    ) -> None:
        self._around = around
        self._seat = seat
        self._follower = follower
        self._missed: list[BookedTrade] | None = []
        self._stream: list[Report] | None = []
        self._timers: list[asyncio.Task[None]] = []
        self._ticks: dict[str, asyncio.Task[None]] = {}
        self._returning: dict[str, list[BookedTrade]] = {}
        self.left_out: dict[str, str] = {}
        self.hung_in = ""
        self.began_ns = around.clock.monotonic_ns()
        self.reconciled_ms = 0.0
        clock, config = around.clock, around.config
        broker = KeyWatch(around.broker, self._key_refused)
        self.record = DeskRecord(
            follower.book,
            around.store,
            node=around.node,
            fence=Fence(seat.lease, seat.epoch),
            clock=clock,
            fault=around.fault,
            on_lost=on_lost,
        )
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
            told_seq=lambda: self._intake.told_seq if self._missed is None else None,
            is_held=lambda symbol: symbol in self._balances.held,
            is_spared=around.is_spared,
        )

        self._loss_watch = LossWatch(
            self.record, config, clock=clock, mark_px=self._mark_px, withdraw=self.floor.withdraw
        )
        self._replacing = Replacing(self.record, self.floor, config, clock)
        stakes = Stakes(live=around.live, symbols=tuple(config.symbols))
        self._requests = ModeRequests(self.record, around.store, clock, stakes)
        self._countdown = Countdown(around.broker, seat, clock)
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
        self._check_arming()
        self._blame(self._seat.hung_in)
        await self._requests.follow_now()
        performers = [
            performer
            for name, loaded in self._around.strategies.items()
            if (performer := self._restored(name, loaded)) is not None
        ]
        missed = await self._missed_trades(performers, self._follower.recent, self._missed)
        for performer in performers:
            self._enter(performer, missed)
        self._missed = None
        self._withdraw_ownerless()
        self._show_fresh_quotes()
        self._polls.start()
        self._timers += [
            asyncio.create_task(self._save_now_and_then(), name="save strategies"),
            asyncio.create_task(self._requests.keep_following(), name="follow requests"),
            asyncio.create_task(self._kill_switch.keep_down(), name="kill switch"),
            asyncio.create_task(self._countdown.keep(), name="countdown"),
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
        for timer in (*self._timers, *self._ticks.values()):
            timer.cancel()
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
        if self._missed is not None:
            self._missed.append(BookedTrade(seq, order.cl_ord_id, trade))
        elif order.strategy in self._returning:
            self._returning[order.strategy].append(BookedTrade(seq, order.cl_ord_id, trade))
        else:
            self.floor.on_fill(seq, order, trade)

    def _on_order(self, order: Order) -> None:
        if self._missed is None:
            self._replacing.look()
            self.floor.on_order(order)

    def _on_hole(self, hole: Hole) -> None:
        """The missing trade may be a frame behind: the poll asks now, the order itself is asked for a little later."""
        self._polls.fetch_trades()
        self._resolver.watch(hole.cl_ord_id, after_s=self._around.config.ask_first_s)

    def _key_refused(self, refused: KeyRefused) -> None:
        """Stop once: every other question of these moments hears the same."""
        if self.record.is_lost or self.record.book.mode in ("halted", "killed"):
            return
        said = DeskKeyRefused(
            venue_code=str(refused.facts.get("venue_code", "")), text=str(refused.facts.get("text", ""))
        )
        reason = f"the venue refuses the account's key ({said.venue_code})"
        self.record.write(said, DeskModeChanged(mode="halted", by="desk", reason=reason))

    def _mark_px(self, symbol: str) -> Decimal | None:
        quote = self._around.quotes.get(symbol)
        return (quote.bid_px + quote.ask_px) / 2 if quote is not None else None

    def _in_doubt(self, cl_ord_id: str) -> None:
        self._resolver.watch(cl_ord_id, at_once=True)

    def _left_open(self, cl_ord_id: str) -> None:
        """Its end may be a frame behind."""
        self._resolver.watch(cl_ord_id, after_s=self._around.config.ask_first_s)

    def _venue_answers(self) -> None:
        self._resolver.nudge()

    def _on_sums(self) -> None:
        self._balances.moved()
        self._loss_watch.look()

    # -- strategies

    async def restart(self, name: str, reason: str) -> None:
        """Begin one strategy anew from its saved state, as a takeover would; the others trade on meanwhile.

        Raises:
            CallbackUnderWay: only the end of this process ends its callback.
            Refused: it is none of the desk's, a human must let it back, or it cannot be restored.
        """
        loaded = self._around.strategies.get(name)
        if loaded is None or name in self._returning:
            raise Refused(f"{name} is no strategy of this desk that could be begun anew now", strategy=name)
        if self.floor.at_work == name:
            raise CallbackUnderWay(f"a callback of {name} has not returned", strategy=name)
        self._returning[name] = []
        try:
            performer, missed = await self._begun_anew(name, loaded)
        except BaseException as error:
            self._stays_away(name, error)
            raise
        finally:
            del self._returning[name]
        performer.behind = True
        self._enter(performer, missed)
        performer.behind = bool(performer.stopped_by)
        self.record.write(StrategyRestarted(strategy=name, reason=reason))

    async def _begun_anew(self, name: str, loaded: LoadedStrategy) -> tuple[Performer, list[tuple[BookedTrade, Order]]]:
        self._drop(name)
        performer = self._restored(name, loaded)
        if performer is None:
            raise Refused(f"{name} stays out: {self.left_out[name]}", strategy=name)
        await self.record.flush()
        nothing_kept = RecentTrades(self.record.book.seq + 1)
        missed = await self._missed_trades([performer], nothing_kept, self._returning[name])
        if self.floor.is_closed:
            raise Refused(f"{name} leaves with its desk", strategy=name)
        return performer, missed

    def _stays_away(self, name: str, error: BaseException) -> None:
        """Say so of a strategy that did not come back, and cancel what nobody looks after now."""
        if self.floor.is_closed:
            return
        why = self.left_out.setdefault(name, f"it could not begin anew: {type(error).__name__}: {error}")
        self.floor.stop(name, f"strategy {name} stays out: {why}")

    def disable(self, name: str, failure: str, reason: str, *, reduce_only: bool) -> None:
        """Let one strategy decide nothing more until a human says "normal", and cancel what it left open."""
        self.floor.stop(name, reason)
        reduces = reduce_only and self.record.book.mode == "normal"
        mode = [DeskModeChanged(mode="reduce_only", by="desk", reason=reason)] if reduces else []
        self.record.write(StrategyDisabled(strategy=name, failure=failure, reason=reason), *mode)

    def _drop(self, name: str) -> None:
        self.floor.leave(name)
        self.left_out.pop(name, None)
        tick = self._ticks.pop(name, None)
        if tick is not None:
            tick.cancel()

    def _blame(self, strategy: str) -> None:
        """Note who was at work when the predecessor hung or crashed. A crash loop must not travel with the handover."""
        if strategy not in self._around.strategies:
            return
        self.hung_in = strategy
        times = self.record.book.times_blamed(strategy) + 1
        log.error("strategy %s was at work when the predecessor hung or crashed, for the %d. time", strategy, times)
        reason = f"strategy {strategy} was at work when {times} nodes hung or crashed"
        stops = times >= BLAMED_MOST and self.record.book.mode == "normal"
        mode = [DeskModeChanged(mode="reduce_only", by="desk", reason=reason)] if stops else []
        self.record.write(StrategyBlamed(strategy=strategy, times=times), *mode)

    def _restored(self, name: str, loaded: LoadedStrategy) -> Performer | None:
        """Return the strategy as it was when it last decided, indicators refilled; None if it cannot be restored."""
        if (times := self.record.book.times_blamed(name)) >= BLAMED_MOST:
            self.left_out[name] = f"it was at work when {times} nodes hung or crashed; `desk resume` lets it back"
            return None
        if (disabled := self.record.book.disabled(name)) is not None:
            self.left_out[name] = f"it is disabled: {disabled.reason}; `desk resume` lets it back"
            return None
        self._around.now_running(name)
        try:
            raw = self.record.book.strategy_state(name)
            memory = None if raw is None else restored(raw, name)
            strategy = loaded.build(name, state_of(memory, loaded.kind.State, name), self.floor)
            performer = Performer(
                name, strategy, strategy.wants(), self.record.book.seq if memory is None else memory.seq
            )
            bars = self._bars_for(performer)
            # For a new strategy all bars are past; else those that its state does not reflect are still to be given.
            newest = {bar.symbol: bar.close_ns for bar in bars}
            performer.bars = newest if memory is None else self._bars_seen(performer, memory.bars)
            past = [bar for bar in bars if bar.close_ns <= performer.bars.get(bar.symbol, 0)]
            strategy.warm_up(past[-performer.wants.warm_up_bars :] if performer.wants.warm_up_bars else [])
        except (Exception, SystemExit) as error:  # a strategy is foreign code: the others trade on without it
            log.exception("strategy %s is left out: it could not be restored", name)
            self.left_out[name] = f"{type(error).__name__}: {error}"
            return None
        finally:
            self._around.now_running("")
        return performer

    def _check_arming(self) -> None:
        around = self._around
        said = arming_at_start(self.record.book, live=around.live, broker=around.config.broker)
        if said is not None:
            self.record.write(said)

    def _withdraw_ownerless(self) -> None:
        """Cancel what nobody looks after: the strategy is configured no more, or it could not be restored.

        Adopted orders name no strategy and stay: an operator was told of them.
        """
        at_work = {performer.name for performer in self.floor.performers}
        left = [each for each in self.record.book.open_orders() if each.strategy and each.strategy not in at_work]
        for strategy in dict.fromkeys(each.strategy for each in left):
            why = "could not be restored" if strategy in self.left_out else "is not configured any more"
            self.floor.withdraw([each for each in left if each.strategy == strategy], f"strategy {strategy} {why}")

    def _bars_seen(self, performer: Performer, given: Mapping[str, int]) -> dict[str, int]:
        """Bars that closed before anybody here listened were missed for good: they fill indicators, nothing more."""
        bars, bar_s = self._around.bars, performer.wants.bar_s or 0
        symbols = given.keys() | set(performer.wants.symbols)
        seen = {symbol: max(given.get(symbol, 0), bars.filled_until_ns(symbol, bar_s)) for symbol in sorted(symbols)}
        return {symbol: close_ns for symbol, close_ns in seen.items() if close_ns}

    def _bars_for(self, performer: Performer) -> list[Bar]:
        wants = performer.wants
        if wants.bar_s is None:
            return []
        bars = [bar for symbol in wants.symbols for bar in self._around.bars.closed(symbol, wants.bar_s)]
        return sorted(bars, key=lambda bar: bar.close_ns)

    async def _missed_trades(
        self, performers: Sequence[Performer], recent: RecentTrades, meanwhile: list[BookedTrade] | None
    ) -> list[tuple[BookedTrade, Order]]:
        """Return every trade that some strategy has still to be given; the last wait before they run.

        Args:
            meanwhile: where those are noted that are told while this waits; read when the waiting is over.
        """
        book, store = self.record.book, self._around.store
        oldest = min((performer.seq for performer in performers), default=book.seq)
        trades = await trades_after(oldest, recent, book, store)
        found = [(trade, await order_of(trade, book, store)) for trade in trades]
        found += [(trade, book.order(trade.cl_ord_id)) for trade in meanwhile or []]
        return [(trade, order) for trade, order in found if order is not None]

    def _enter(self, performer: Performer, missed: Sequence[tuple[BookedTrade, Order]]) -> None:
        self.floor.enter(performer)
        self.floor.on_start(performer)
        for booked, order in missed:
            if order.strategy == performer.name:
                self.floor.on_fill(booked.seq, order, booked.trade)
        for bar in self._bars_for(performer):
            self.floor.hand_bar(performer, bar)
        if performer.wants.timer_s is not None:
            self._ticks[performer.name] = asyncio.create_task(self._tick(performer, performer.wants.timer_s))

    def _show_fresh_quotes(self) -> None:
        """Do not wait for the next quote to decide: the newest one is milliseconds old while the feed is up."""
        now_ns = self._around.clock.monotonic_ns()
        for quote in list(self._around.quotes.values()):
            if now_ns - quote.received_ns < FRESH_QUOTE_NS:
                self.on_quote(quote)

    async def _tick(self, performer: Performer, every_s: float) -> None:
        while True:
            await self._around.clock.sleep(every_s)
            self.floor.on_timer(performer)

    async def _save_now_and_then(self) -> None:
        while True:
            await self._around.clock.sleep(SAVE_EVERY_S)
            self.floor.save_all()
