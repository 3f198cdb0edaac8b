"""A desk: one broker account and the strategies that trade on it; the unit of ownership and of failover."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress

from trading_orchestrator.brokers.port import Broker, KeyRefused
from trading_orchestrator.errors import OrchestratorError, Refused, Transient
from trading_orchestrator.journal.emergency_notes import EmergencyNotes
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.config import ConfigRefused, nearest
from trading_orchestrator.kernel.faultpoint import FaultPoint, no_fault
from trading_orchestrator.kernel.ids import RandomBytes, system_random
from trading_orchestrator.kernel.tenancy import Seat
from trading_orchestrator.market.port import Feed, Instrument, Quote
from trading_orchestrator.storage.ports import FactStore, Fence, JournalCorrupt, StaleEpoch
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.desk_strategies import strategies_of
from trading_orchestrator.trading.emergency import EmergencyCancels
from trading_orchestrator.trading.floor import NowRunning
from trading_orchestrator.trading.follower import Follower
from trading_orchestrator.trading.rebuild import has_lost_rows, rebuild_rows
from trading_orchestrator.trading.reconcile import NotReconciled
from trading_orchestrator.trading.record import RecordLost
from trading_orchestrator.trading.shift import Shift, Surroundings
from trading_orchestrator.trading.strategies.bar_history import BarHistory
from trading_orchestrator.trading.strategy_health import strategy_health
from trading_orchestrator.trading.streams import Streams
from trading_orchestrator.trading.venue_clock import VenueClock
from trading_orchestrator.trading.waiting_to_start import WaitingToStart, asking_its_venue

log = logging.getLogger(__name__)
BEGIN_AGAIN_S = (0.05, 0.2, 0.5, 1.0)
"""Waits between tries to begin again after the journal failed; the last one repeats."""


def nobody_is_told(name: str) -> None:
    """The default for `now_running`: no incarnation file."""


class Desk:
    """Implements `Tenancy`. Warm it follows its own stream, the account's reports and the market; seated it trades.

    Args:
        name: of the desk; its lease and its stream are `desk/<name>`.
        config: what it trades, and with which limits.
        store: the journal.
        node: the name under which this process writes facts.
        broker, feed: of the account's venue. The desk closes both.
        random_bytes: for jitter only; ids do not come from it.
        fault: where tests hold the process.
        live: real money is at stake, so no order leaves before a named person has armed the desk.
        notes: where cancels are noted that leave while the journal takes nothing; without it none does.
        now_running: called with a strategy's name before its callback and with "" after it (incarnation file).

    Concurrency: one event loop.
    """

    def __init__(
        self,
        name: str,
        config: DeskConfig,
        *,
        store: FactStore,
        node: str,
        broker: Broker,
        feed: Feed,
        clock: Clock,
        random_bytes: RandomBytes = system_random,
        fault: FaultPoint = no_fault,
        now_running: NowRunning = nobody_is_told,
        live: bool = False,
        notes: EmergencyNotes | None = None,
    ) -> None:
        self.name = name
        self._config = config
        self._store = store
        self._broker = broker
        self._feed = feed
        self._clock = clock
        self._instruments: dict[str, Instrument] = {}
        quotes: dict[str, Quote] = {}
        bars = BarHistory(config.bars_kept, clock, random_bytes)
        self._around = Surroundings(
            config=config,
            node=node,
            store=store,
            broker=broker,
            clock=clock,
            random_bytes=random_bytes,
            fault=fault,
            now_running=now_running,
            strategies=strategies_of(config, source=f"desk {name}"),
            instruments=self._instruments,
            quotes=quotes,
            bars=bars,
            venue_clock=VenueClock(broker, config, clock),
            live=live,
            notes=notes,
            is_spared=lambda strategy: self._spares and strategy in self.non_critical,
        )
        for strategy, loaded in self._around.strategies.items():
            wants = loaded.wants(strategy)
            for symbol in wants.symbols if wants.bar_s is not None else ():
                bars.want(symbol, wants.bar_s or 0)
        self._streams = Streams(
            broker,
            feed,
            clock,
            of=self.lease,
            instruments=self._instruments,
            quotes=quotes,
            bars=bars,
            venue_clock=self._around.venue_clock,
            shift=lambda: self._shift,
        )
        self._follower: Follower | None = None
        self._seat: Seat | None = None
        self._shift: Shift | None = None
        self._has_begun = False
        self._again: asyncio.Task[None] | None = None
        self._stand_in: EmergencyCancels | None = None
        self._trouble = ""
        self._waiting = WaitingToStart(clock)
        self._spares = False

    @property
    def lease(self) -> str:
        return f"desk/{self.name}"

    @property
    def depends_on(self) -> tuple[str, ...]:
        return ("journal",)

    @property
    def acts(self) -> bool:
        """Return whether this process trades the desk, rather than standing by."""
        return self._shift is not None

    @property
    def is_held_up(self) -> bool:
        """Return whether it would trade here, if only it could start."""
        return bool(self._waiting)

    @property
    def mode(self) -> str:
        """Return the mode by which orders are judged, "" while its facts are not followed here."""
        if self._shift is not None:
            return self._shift.record.book.mode
        return self._follower.book.mode if self._follower is not None else ""

    def health(self) -> Health:
        """Return how the desk is, in a sentence."""
        if self._trouble:
            return Health(HealthState.UNHEALTHY, f"{self._trouble}{self._emergency_in_words()}", "desk.down")
        if self._shift is None and self._emergency_in_words():
            said = f"the journal took nothing and the lease ran out{self._emergency_in_words()}"
            return Health(HealthState.UNHEALTHY, said, "desk.down")
        if self._waiting:
            return self._waiting.health()
        if self._shift is None:
            following = self._follower is not None
            state, said = (HealthState.HEALTHY, "standing by") if following else (HealthState.STARTING, "")
            return Health(state, said, elsewhere=True)
        stopped = {each.name: each.stopped_by for each in self._shift.floor.performers if each.stopped_by}
        stopped |= self._shift.staff.left_out
        worries = [f"strategy {name}: {why}" for name, why in stopped.items()]  # each is a failure of its own
        worries += [worry] if (worry := worry_of(self._shift.record.book)) else []
        return Health(HealthState.DEGRADED, "; ".join(worries)) if worries else Health(HealthState.HEALTHY)

    @property
    def strategies(self) -> Sequence[str]:
        """Return the names of the strategies that trade here."""
        return tuple(self._around.strategies)

    def strategy_health(self, name: str) -> Health:
        """Return how one strategy is, as far as this process runs it."""
        if self._shift is None or not self._has_begun or self._trouble:
            return Health(HealthState.HEALTHY, "not run here at present", elsewhere=True)
        return strategy_health(self._shift, name, self._clock.monotonic_ns())

    def stays_out(self, name: str) -> str:
        """Return why a strategy does not trade until a human lets it back, "" when nothing forbids it."""
        if self._shift is None:
            return ""
        disabled = self._shift.record.book.disabled(name)
        return disabled.reason if disabled is not None else self._shift.staff.left_out.get(name, "")

    @property
    def non_critical(self) -> Sequence[str]:
        """Return the strategies that may do without new entries while the node is short of something."""
        return tuple(each.name for each in self._config.strategies if each.enabled and not each.critical)

    def spare(self, *, on: bool) -> None:
        """Let strategies that are not critical open nothing new, or let them again; exits and cancels go on."""
        self._spares = on

    async def restart_strategy(self, name: str, reason: str) -> None:
        """Begin one strategy anew from its saved state while the desk goes on.

        Raises:
            CallbackUnderWay: only the end of this process ends its callback.
            Refused: this process does not run it, a human must let it back, or it cannot be restored.
        """
        await self._acting_shift(name).staff.restart(name, reason)

    def disable_strategy(self, name: str, failure: str, reason: str, *, reduce_only: bool) -> None:
        """Let one strategy decide nothing more until a human says "normal", over takeovers.

        Args:
            reduce_only: whether the desk takes no new risk either.

        Raises:
            Refused: this process does not run it.
        """
        self._acting_shift(name).staff.disable(name, failure, reason, reduce_only=reduce_only)

    def _acting_shift(self, strategy: str) -> Shift:
        if self._shift is None or not self._has_begun or self._shift.record.is_lost:
            raise Refused(f"desk {self.name} is not traded here at present", strategy=strategy)
        return self._shift

    # -- Tenancy

    async def warm(self) -> None:
        if not self._instruments:
            with asking_its_venue(self._config.broker, Transient):
                await self._broker.connect()
                known = {instrument.symbol: instrument for instrument in await self._feed.instruments()}
            await self._take_instruments(known)
        await asyncio.gather(self._follow(), *self._streams.open())

    async def take(self, seat: Seat) -> None:
        self._seat = seat
        try:
            with asking_its_venue(self._config.broker, NotReconciled):
                await self._begin(seat, seat.succession.value)
        except OrchestratorError:
            self._seat = None
            raise

    def held_up(self, why: str) -> None:
        self._waiting.told(why)

    async def leave(self, deadline_s: float) -> None:
        seat, self._seat = self._seat, None
        await self._stop_beginning_again()
        shift, self._shift = self._shift, None
        if shift is not None:
            if seat is not None and self._has_begun and not seat.may_act():
                # Nobody renewed it. Where a lock keeps everybody out, nobody is refused soon and nobody can succeed.
                self._begin_emergency(shift, seat)
            await shift.end(deadline_s)
        self._trouble = ""
        self._waiting.told("")
        await self._drop_follower()

    async def close(self) -> None:
        await self.leave(0)
        await self._end_emergency(None)
        await self._streams.close()
        await self._feed.close()
        await self._broker.close()

    # -- shifts

    async def _begin(self, seat: Seat, trigger: str) -> None:
        """Begin a shift on a Book that is folded up to the head.

        Raises:
            Transient: nothing has begun.
        """
        began_ns = self._clock.monotonic_ns()
        follower = await self._follow()
        self._has_begun = False
        self._shift = shift = Shift(
            self._around,
            follower,
            seat,
            on_lost=lambda error: self._on_lost(shift, error),
            begin_anew=lambda: self._begin_anew(shift),
        )
        self._follower = None  # its Book belongs to the shift now
        try:
            await follower.stop_at_head()
            await self._restore_rows(follower, seat)
            folded_ns = self._clock.monotonic_ns()
            await shift.begin(trigger)
            if shift.record.is_lost:
                raise RecordLost("the journal refused a fact while the desk began")
        except BaseException as error:
            self._shift = None
            if isinstance(error, KeyRefused):
                await shift.record.flush()  # a human must hear of it though nothing begins
            await shift.end(0)
            raise
        self._has_begun = True
        await self._end_emergency(shift)
        whole_ms, folded_ms = ((ns - began_ns) / 1e6 for ns in (self._clock.monotonic_ns(), folded_ns))
        log.info(
            "%s acts with epoch %d (%s) after %.1f ms: %.1f to fold to the head, %.1f to reconcile",
            *(self.lease, seat.epoch, trigger, whole_ms, folded_ms, shift.reconciled_ms),
        )

    async def _restore_rows(self, follower: Follower, seat: Seat) -> None:
        """Write the projections back if they were deleted: a late report is looked up in them."""
        store, fence = self._around.store, Fence(seat.lease, seat.epoch)
        if await has_lost_rows(store, follower.book):
            rebuilt = await rebuild_rows(store, self.name, node=self._around.node, fence=fence)
            log.warning("%s: wrote %d lost projection rows back from %d facts", self.lease, rebuilt.rows, rebuilt.facts)
            await follower.stop_at_head()

    def _on_lost(self, shift: Shift, error: OrchestratorError) -> None:
        """The journal did not take a fact: nothing more is sent; begin anew once it takes facts again.

        Not on a damaged file: what it still takes proves nothing, so cancels only, until a person restores it.
        """
        shift.floor.close()
        log.error("%s: the journal refused a fact, so nothing more is sent: %s", self.lease, error.message)
        self._trouble = f"the journal refused a fact: {error.message}"
        begun = self._shift is shift and self._has_begun
        if begun and self._seat is not None and not isinstance(error, StaleEpoch):
            self._begin_emergency(shift, self._seat)
            again = self._begin_again(
                shift, self._seat, "journal failure", wait_s=0, is_damaged=isinstance(error, JournalCorrupt)
            )
            if self._again is not None:
                self._again.cancel()  # it may be at ending this very shift, with time to write
            self._again = asyncio.create_task(again, name=f"{self.lease} begins again")

    def _begin_anew(self, shift: Shift) -> None:
        """Nothing is wrong with this shift but that it could not hear the venue for a while."""
        if self._shift is shift and self._has_begun and self._seat is not None and not shift.floor.is_closed:
            shift.floor.close()
            again = self._begin_again(shift, self._seat, "key accepted", wait_s=self._broker.timeout_s)
            self._again = asyncio.create_task(again, name=f"{self.lease} begins anew")

    async def _begin_again(
        self, shift: Shift, seat: Seat, trigger: str, *, wait_s: float, is_damaged: bool = False
    ) -> None:
        """Args: wait_s: for the answers under way and the journal; 0: nothing of the shift may be kept."""
        await shift.end(wait_s)
        self._shift = None  # not before: who leaves meanwhile has to end it
        tried = 0
        while self._seat is seat and not is_damaged:
            await self._clock.sleep(BEGIN_AGAIN_S[min(tried, len(BEGIN_AGAIN_S) - 1)])
            tried += 1
            try:
                with asking_its_venue(self._config.broker, NotReconciled):
                    await self._begin(seat, trigger)
            except OrchestratorError as error:
                log.warning("%s cannot begin again yet: %s", self.lease, error.message)
                self._waiting.told(error.message)
                is_damaged = isinstance(error, JournalCorrupt)
            except Exception as error:  # nobody waits for this task: the desk would stand still, and look well
                log.exception("%s cannot begin again, in a way nobody expected", self.lease)
                self._trouble = f"it cannot begin again: {type(error).__name__}: {error}"
            else:
                self._trouble = ""
                self._waiting.told("")
                return
            await self._drop_follower()

    def _begin_emergency(self, shift: Shift, seat: Seat) -> None:
        around = self._around
        if around.notes is None or self._stand_in is not None:
            return
        self._stand_in = EmergencyCancels(
            shift.record.book,
            seat,
            store=around.store,
            broker=around.broker,
            config=around.config,
            clock=around.clock,
            notes=around.notes,
        )

    async def _end_emergency(self, shift: Shift | None) -> None:
        """Send no more of them; a desk that trades again journals those it has not seen yet."""
        stand_in, self._stand_in = self._stand_in, None
        if stand_in is not None:
            await stand_in.end()
        if stand_in is not None and shift is not None:
            with suppress(OrchestratorError):  # lost again: the next start journals them
                await shift.journal_emergencies()

    def _emergency_in_words(self) -> str:
        stands_in = self._stand_in is not None and not self._stand_in.is_over
        return f"; cancels only, {self._stand_in.count} orders so far" if self._stand_in and stands_in else ""

    async def _stop_beginning_again(self) -> None:
        task, self._again = self._again, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    # -- following

    async def _follow(self) -> Follower:
        if self._follower is None:
            follower = Follower(
                self.name,
                self._config.account_name,
                self._store,
                self._clock,
                snapshot_every_facts=self._config.snapshot_every_facts,
            )
            await follower.start()
            self._follower = follower
        return self._follower

    async def _drop_follower(self) -> None:
        follower, self._follower = self._follower, None
        if follower is not None:
            await follower.stop()

    async def _take_instruments(self, known: Mapping[str, Instrument]) -> None:
        """Keep those of our symbols. One that was traded here and is known no more was delisted: no typing error.

        The start finds out the same by its questions, and blocks the symbol.
        """
        missing = [symbol for symbol in self._config.symbols if symbol not in known]
        book = (await self._follow()).book if missing else None
        for symbol in missing:
            if book is None or not book.knows(symbol):
                raise ConfigRefused(
                    f"desk {self.name}: symbols: the venue has no `{symbol}`; {nearest(symbol, list(known))}",
                    key="symbols",
                )
        self._instruments.update({each: known[each] for each in self._config.symbols if each in known})


def worry_of(book: Book) -> str:
    """Return what an operator should know of a desk that runs, worst first; "" when there is nothing."""
    quarantined = [order.cl_ord_id for order in book.quarantined_orders()]
    unknown = len(book.unknown_orders()) - len(quarantined)
    said = [f"the desk is {book.mode.replace('_', ' ')}"] if book.mode != "normal" else []
    if book.key_doubt and book.mode == "unarmed":
        said = [f"the desk is unarmed: {book.key_doubt}"]
    said += [f"quarantined: {', '.join(quarantined)}"] if quarantined else []
    alive = [order.cl_ord_id for order in book.open_orders() if order.reopened and not order.foreign]
    said += [f"alive again after their end: {', '.join(alive)}"] if alive else []
    said += [f"{symbol} takes no new entries: {code}" for symbol, code in sorted(book.blocked.items())]
    said += [f"{unknown} unknown orders"] if unknown else []
    return "; ".join(said)
