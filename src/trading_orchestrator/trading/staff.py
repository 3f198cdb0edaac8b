"""The staff of a shift: its strategies, as they come back, are begun anew, or stay out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from trading_orchestrator.brokers.port import TradeReport
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.market.port import Bar
from trading_orchestrator.storage.ports import FactStore
from trading_orchestrator.trading.caution import until_a_person_looks
from trading_orchestrator.trading.facts import StrategyBlamed, StrategyDisabled, StrategyRestarted
from trading_orchestrator.trading.floor import NowRunning, Performer, TradingFloor
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.record import DeskRecord
from trading_orchestrator.trading.strategies.bar_history import BarHistory
from trading_orchestrator.trading.strategies.load import LoadedStrategy
from trading_orchestrator.trading.strategies.memory import restored, state_of
from trading_orchestrator.trading.strategies.missed_fills import BookedTrade, RecentTrades, order_of, trades_after

log = logging.getLogger(__name__)
BLAMED_MOST = 2


class CallbackUnderWay(Refused):
    """A callback of the strategy has not returned: only a fresh process ends it. Facts: strategy."""

    code = "strategy.callback_under_way"


class Staff:
    """Brings strategies to the floor, and takes them from it. Use from one event loop.

    `left_out`: why a strategy is not at work, by name. `hung_in`: who was at work when the predecessor ended.
    """

    def __init__(
        self,
        record: DeskRecord,
        floor: TradingFloor,
        strategies: Mapping[str, LoadedStrategy],
        *,
        store: FactStore,
        bars: BarHistory,
        clock: Clock,
        now_running: NowRunning,
    ) -> None:
        self._record = record
        self._floor = floor
        self._strategies = strategies
        self._store = store
        self._bars = bars
        self._clock = clock
        self._now_running = now_running
        self._missed: list[BookedTrade] | None = []
        self._returning: dict[str, list[BookedTrade]] = {}
        self._ticks: dict[str, asyncio.Task[None]] = {}
        self.left_out: dict[str, str] = {}
        self.hung_in = ""

    @property
    def has_begun(self) -> bool:
        """Return whether the strategies run: what happens now is told to them at once."""
        return self._missed is None

    async def begin(self, recent: RecentTrades) -> None:
        """Restore the strategies and start them; what nobody looks after any more is cancelled.

        Raises:
            Transient: the journal did not answer.
        """
        performers = [
            performer
            for name, loaded in self._strategies.items()
            if (performer := self._restored(name, loaded)) is not None
        ]
        missed = await self._missed_trades(performers, recent, self._missed)
        for performer in performers:
            self._enter(performer, missed)
        self._missed = None
        self._withdraw_ownerless()

    def leave(self) -> None:
        """Let no timer tick any more."""
        for tick in self._ticks.values():
            tick.cancel()

    def on_fill(self, seq: int, order: Order, trade: TradeReport) -> None:
        """Give a trade to its strategy, now or when it is there."""
        if self._missed is not None:
            self._missed.append(BookedTrade(seq, order.cl_ord_id, trade))
        elif order.strategy in self._returning:
            self._returning[order.strategy].append(BookedTrade(seq, order.cl_ord_id, trade))
        else:
            self._floor.on_fill(seq, order, trade)

    def blame(self, strategy: str) -> None:
        """Note who was at work when the predecessor hung or crashed. A crash loop must not travel with the handover."""
        if strategy not in self._strategies:
            return
        self.hung_in = strategy
        times = self._record.book.times_blamed(strategy) + 1
        log.error("strategy %s was at work when the predecessor hung or crashed, for the %d. time", strategy, times)
        reason = f"strategy {strategy} was at work when {times} nodes hung or crashed"
        mode = until_a_person_looks(self._record.book, reason) if times >= BLAMED_MOST else []
        self._record.write(StrategyBlamed(strategy=strategy, times=times), *mode)

    def disable(self, name: str, failure: str, reason: str, *, reduce_only: bool) -> None:
        """Let one strategy decide nothing more until a human says "normal", and cancel what it left open."""
        self._floor.stop(name, reason)
        mode = until_a_person_looks(self._record.book, reason) if reduce_only else []
        self._record.write(StrategyDisabled(strategy=name, failure=failure, reason=reason), *mode)

    async def restart(self, name: str, reason: str) -> None:
        """Begin one strategy anew from its saved state, as a takeover would; the others trade on meanwhile.

        Raises:
            CallbackUnderWay: only the end of this process ends its callback.
            Refused: it is none of the desk's, a human must let it back, or it cannot be restored.
        """
        loaded = self._strategies.get(name)
        if loaded is None or name in self._returning:
            raise Refused(f"{name} is no strategy of this desk that could be begun anew now", strategy=name)
        if self._floor.at_work == name:
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
        self._record.write(StrategyRestarted(strategy=name, reason=reason))

    async def _begun_anew(self, name: str, loaded: LoadedStrategy) -> tuple[Performer, list[tuple[BookedTrade, Order]]]:
        self._drop(name)
        performer = self._restored(name, loaded)
        if performer is None:
            raise Refused(f"{name} stays out: {self.left_out[name]}", strategy=name)
        await self._record.flush()
        nothing_kept = RecentTrades(self._record.book.seq + 1)
        missed = await self._missed_trades([performer], nothing_kept, self._returning[name])
        if self._floor.is_closed:
            raise Refused(f"{name} leaves with its desk", strategy=name)
        return performer, missed

    def _stays_away(self, name: str, error: BaseException) -> None:
        """Say so of a strategy that did not come back, and cancel what nobody looks after now."""
        if self._floor.is_closed:
            return
        why = self.left_out.setdefault(name, f"it could not begin anew: {type(error).__name__}: {error}")
        self._floor.stop(name, f"strategy {name} stays out: {why}")

    def _drop(self, name: str) -> None:
        self._floor.leave(name)
        self.left_out.pop(name, None)
        tick = self._ticks.pop(name, None)
        if tick is not None:
            tick.cancel()

    def _restored(self, name: str, loaded: LoadedStrategy) -> Performer | None:
        """Return the strategy as it was when it last decided, indicators refilled; None if it cannot be restored."""
        if (times := self._record.book.times_blamed(name)) >= BLAMED_MOST:
            self.left_out[name] = f"it was at work when {times} nodes hung or crashed; `desk resume` lets it back"
            return None
        if (disabled := self._record.book.disabled(name)) is not None:
            self.left_out[name] = f"it is disabled: {disabled.reason}; `desk resume` lets it back"
            return None
        self._now_running(name)
        try:
            raw = self._record.book.strategy_state(name)
            memory = None if raw is None else restored(raw, name)
            strategy = loaded.build(name, state_of(memory, loaded.kind.State, name), self._floor)
            performer = Performer(
                name, strategy, strategy.wants(), self._record.book.seq if memory is None else memory.seq
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
            self._now_running("")
        return performer

    def _withdraw_ownerless(self) -> None:
        """Cancel what nobody looks after: the strategy is configured no more, or it could not be restored.

        Adopted orders name no strategy and stay: an operator was told of them.
        """
        at_work = {performer.name for performer in self._floor.performers}
        left = [each for each in self._record.book.open_orders() if each.strategy and each.strategy not in at_work]
        for strategy in dict.fromkeys(each.strategy for each in left):
            why = "could not be restored" if strategy in self.left_out else "is not configured any more"
            self._floor.withdraw([each for each in left if each.strategy == strategy], f"strategy {strategy} {why}")

    def _bars_seen(self, performer: Performer, given: Mapping[str, int]) -> dict[str, int]:
        """Bars that closed before anybody here listened were missed for good: they fill indicators, nothing more."""
        bars, bar_s = self._bars, performer.wants.bar_s or 0
        symbols = given.keys() | set(performer.wants.symbols)
        seen = {symbol: max(given.get(symbol, 0), bars.filled_until_ns(symbol, bar_s)) for symbol in sorted(symbols)}
        return {symbol: close_ns for symbol, close_ns in seen.items() if close_ns}

    def _bars_for(self, performer: Performer) -> list[Bar]:
        wants = performer.wants
        if wants.bar_s is None:
            return []
        bars = [bar for symbol in wants.symbols for bar in self._bars.closed(symbol, wants.bar_s)]
        return sorted(bars, key=lambda bar: bar.close_ns)

    async def _missed_trades(
        self, performers: Sequence[Performer], recent: RecentTrades, meanwhile: list[BookedTrade] | None
    ) -> list[tuple[BookedTrade, Order]]:
        """Return every trade that some strategy has still to be given; the last wait before they run.

        Args:
            meanwhile: where those are noted that are told while this waits; read when the waiting is over.
        """
        book, store = self._record.book, self._store
        oldest = min((performer.seq for performer in performers), default=book.seq)
        trades = await trades_after(oldest, recent, book, store)
        found = [(trade, await order_of(trade, book, store)) for trade in trades]
        found += [(trade, book.order(trade.cl_ord_id)) for trade in meanwhile or []]
        return [(trade, order) for trade, order in found if order is not None]

    def _enter(self, performer: Performer, missed: Sequence[tuple[BookedTrade, Order]]) -> None:
        self._floor.enter(performer)
        self._floor.on_start(performer)
        for booked, order in missed:
            if order.strategy == performer.name:
                self._floor.on_fill(booked.seq, order, booked.trade)
        for bar in self._bars_for(performer):
            self._floor.hand_bar(performer, bar)
        if performer.wants.timer_s is not None:
            self._ticks[performer.name] = asyncio.create_task(self._tick(performer, performer.wants.timer_s))

    async def _tick(self, performer: Performer, every_s: float) -> None:
        while True:
            await self._clock.sleep(every_s)
            self._floor.on_timer(performer)
