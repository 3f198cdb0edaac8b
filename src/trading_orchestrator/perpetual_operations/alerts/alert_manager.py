"""AlertManager: the alert engine on the real clock, over the journal, with channels to the world."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trading_orchestrator.errors import OrchestratorError, Refused, Transient
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.faultpoint import FaultPoint, no_fault
from trading_orchestrator.perpetual_operations.alerts.alert import Posted, all_admitted, on_our_clock
from trading_orchestrator.perpetual_operations.alerts.answering import Answering, firing
from trading_orchestrator.perpetual_operations.alerts.attention import Attention
from trading_orchestrator.perpetual_operations.alerts.calls import Calls
from trading_orchestrator.perpetual_operations.alerts.channels.port import Channel
from trading_orchestrator.perpetual_operations.alerts.delivery import Deed, Delivery, Ways
from trading_orchestrator.perpetual_operations.alerts.duty import Duty
from trading_orchestrator.perpetual_operations.alerts.engine import Engine
from trading_orchestrator.perpetual_operations.alerts.facts import NotificationDue, Notified
from trading_orchestrator.perpetual_operations.alerts.history import History
from trading_orchestrator.perpetual_operations.alerts.lead import Lead
from trading_orchestrator.perpetual_operations.alerts.message import unlisted
from trading_orchestrator.perpetual_operations.alerts.policy import Policy
from trading_orchestrator.perpetual_operations.alerts.record import Record
from trading_orchestrator.perpetual_operations.alerts.rider import Body, Rider
from trading_orchestrator.perpetual_operations.alerts.root_cause import DependsOn
from trading_orchestrator.perpetual_operations.alerts.silence import Silence
from trading_orchestrator.perpetual_operations.alerts.state import Outgoing, State
from trading_orchestrator.storage.ports import FactStore, Fence

NOT_ALLOWED_WAIT_NS = 100_000_000

CHANNEL_DOWN = "channel.down"  # a class of failure that a recovery ladder knows


class AlertManagerStopped(Transient):
    """The manager is not running, or stopped before this was durable: ask again."""

    code = "alerts.stopped"


class ChannelMissing(Refused):
    """A receiver of the policy has no channel. Facts: receiver."""

    code = "alerts.channel_missing"


@dataclass(frozen=True)
class Asked:
    """A deed that waits for its turn, and who waits for it."""

    deed: Deed
    done: asyncio.Future[None]


class AlertManager:
    """Takes alerts, tells people. Use from one event loop.

    One task takes turns: everything asked meanwhile is decided together, appended in one transaction with its outbox
    rows, and only then answered and sent. A turn that cannot be appended ends `run` with the store's error; whoever
    asked hears the same, and the next `run` folds what is durable.

    Args:
        fence: the lease under which `ops/alerts` is written; losing it ends `run` with StaleEpoch.
        channels: the ways to each receiver of the policy, or its one channel.
        fault: asked before and after each append, by kind of fact.
        riders: other folds over the same stream, whose decisions are appended with the engine's.
        calls: the ladders of the receivers that have one. contacts: the ways to people, by `PERSON/CHANNEL`.
        may_act: asked before anything is sent; a holder whose lease may have run out sends nothing.
        depends_on: which parts of the program stand on which, asked in each turn.

    Raises:
        ChannelMissing: a receiver could never hear anything.
    """

    name = "alert_manager"
    depends_on: Sequence[str] = ("journal",)

    def __init__(
        self,
        store: FactStore,
        clock: Clock,
        policy: Policy,
        *,
        node: str,
        fence: Fence,
        channels: Mapping[str, Channel | Ways],
        fault: FaultPoint = no_fault,
        riders: Sequence[Rider] = (),
        calls: Calls | None = None,
        contacts: Mapping[str, Ways] | None = None,
        may_act: Callable[[], bool] = lambda: True,
        depends_on: Callable[[], DependsOn] = dict,
    ) -> None:
        missing = sorted({route.receiver for route in policy.routes.values()} - set(channels))
        if missing:
            raise ChannelMissing(f"no channel reaches the receiver {missing[0]!r}", receiver=missing[0])
        self.attention = Attention()
        self.calls = calls
        self.duty = Duty(calls, self.now_ns, self._ask)
        self._answering = Answering(self.attention, calls)
        own: Sequence[Rider] = (self.attention, History()) if calls is None else (self.attention, calls, History())
        self._riders: Sequence[Rider] = (*riders, *own)
        self._record = Record(store, node=node, fence=fence, riders=self._riders, fault=fault)
        self._may_act = may_act
        self._depends_on = depends_on
        self._clock = clock
        self._lead = Lead()
        self._policy = policy
        self._delivery = Delivery(
            channels,
            clock,
            key_prefix=store.journal_id,
            report=self._heard,
            fault=fault,
            unlisted=self._unlisted,
            lead=self._lead,
        )
        self._calling = Delivery(
            contacts or {},
            clock,
            key_prefix=store.journal_id,
            report=self._heard_of_call,
            fault=fault,
            carries="call",
            lead=self._lead,
        )
        self._engine: Engine | None = None
        self._asked: list[Asked] = []
        self._wake = asyncio.Event()
        self._base_ns = 0
        self.started = asyncio.Event()

    def health(self) -> Health:
        engine = self._engine
        if engine is None:
            return Health(HealthState.STARTING, "reading what was told before")
        waiting = [outgoing for outgoing in engine.state.outbox.values() if outgoing.tries]
        said = f"alerts: {len(engine.state.alerts)}, messages on their way: {len(engine.state.outbox)}"
        if self._record.unread:
            lost = f"{said}; {self._record.unread} facts of its record cannot be read: what they said is not known"
            return Health(HealthState.DEGRADED, lost)
        if waiting:
            worst = max(waiting, key=lambda outgoing: outgoing.tries)
            failed = f"{said}; {worst.message.receiver} failed {worst.tries} times"
            return Health(HealthState.DEGRADED, failed, CHANNEL_DOWN)
        return Health(HealthState.HEALTHY, said)

    @property
    def state(self) -> State:
        """Return what is known; do not change it.

        Raises:
            AlertManagerStopped: it is not running.
        """
        return self._running().state

    @property
    def engine(self) -> Engine:
        """Return the engine, to ask it what it would do; only turns change it.

        Raises:
            AlertManagerStopped: it is not running.
        """
        return self._running()

    @property
    def delivery(self) -> Delivery:
        """Return what carries the messages."""
        return self._delivery

    def now_ns(self) -> int:
        """Return the time of this manager: it never steps, so that no timer does."""
        now_ns = self._base_ns + self._clock.boot_ns()
        self._lead.follow(now_ns, self._clock.wall_ns())
        return now_ns

    def wall_ns(self) -> int:
        """Return the wall clock's time, by which silences and schedules are judged."""
        return self._lead.wall_ns(self.now_ns())

    async def receive(self, posted: Sequence[Posted]) -> None:
        """Take alerts in, in the words of their senders, whose times are the wall clock's; durable when this returns.

        Raises:
            AlertRefused: one of them cannot be taken, and none was.
            AlertManagerStopped, StaleEpoch, StorageUnavailable, CommitUnknown: post them again.
        """
        self.now_ns()
        await self.tell([on_our_clock(one, self._lead.ns) for one in posted])

    async def tell(self, posted: Sequence[Posted], also: Sequence[Body] = ()) -> None:
        """Take alerts in together with what a rider decided, as one: both are durable when this returns.

        Their times are this manager's.

        Raises:
            AlertRefused, AlertManagerStopped, StaleEpoch, StorageUnavailable, CommitUnknown: as `receive`.
        """
        self._running()
        # Here and not in the turn, so that a bad alert fails its sender alone.
        alerts = all_admitted(posted, self.now_ns(), self._policy.resolve_timeout_ns)
        if alerts or also:
            await self._ask(lambda engine, now_ns: [*also, *engine.receive(alerts, now_ns)])

    async def acknowledge(self, fingerprint: str, *, by: str, note: str = "", for_s: float | None = None) -> None:
        """Say that somebody takes this alert, until it ends or for so long; durable when this returns.

        Raises:
            NoSuchAlert: it does not fire. SpanRefused: `for_s` is no time.
            AlertManagerStopped, StaleEpoch, StorageUnavailable, CommitUnknown: ask again.
        """
        answering = self._answering
        await self._ask(lambda engine, now_ns: answering.acknowledge(engine, fingerprint, by, note, for_s, now_ns))

    async def snooze(self, fingerprint: str, *, by: str, for_s: float, note: str = "") -> None:
        """Call nobody about this alert for so long; durable when this returns.

        Raises:
            NoSuchAlert, NoLadder, SpanRefused: there is nothing to put off, or not so long.
            AlertManagerStopped, StaleEpoch, StorageUnavailable, CommitUnknown: ask again.
        """
        answering = self._answering
        await self._ask(lambda engine, now_ns: answering.snooze(engine, fingerprint, by, note, for_s, now_ns))

    async def escalate(self, fingerprint: str, *, by: str, note: str = "") -> None:
        """Call the next rung about this alert now, whoever has it; durable when this returns.

        Raises:
            NoSuchAlert, NoLadder, EscalationRefused: nobody can be called about it now; the sentence says why.
            AlertManagerStopped, StaleEpoch, StorageUnavailable, CommitUnknown: ask again.
        """
        answering = self._answering
        await self._ask(lambda engine, now_ns: answering.escalate(engine, fingerprint, by, note, now_ns))

    async def resolve(self, fingerprint: str) -> None:
        """End an alert now. A source that still sees its cause tells it anew.

        Raises:
            NoSuchAlert: it does not fire.
            AlertManagerStopped, StaleEpoch, StorageUnavailable, CommitUnknown: ask again.
        """
        await self._ask(lambda engine, now_ns: engine.end(firing(engine, fingerprint, now_ns), now_ns))

    async def set_silence(self, silence: Silence) -> None:
        """Set or change a silence; durable when this returns.

        Raises:
            SilenceRefused, MatcherRefused: nothing was changed.
            AlertManagerStopped, StaleEpoch, StorageUnavailable, CommitUnknown: ask again.
        """
        await self._ask(lambda engine, now_ns: engine.set_silence(silence, now_ns))

    async def expire_silence(self, silence_id: str) -> None:
        """End a silence now; durable when this returns.

        Raises:
            SilenceRefused: there is none of this id.
            AlertManagerStopped, StaleEpoch, StorageUnavailable, CommitUnknown: ask again.
        """
        await self._ask(lambda engine, now_ns: engine.expire_silence(silence_id, now_ns))

    async def run(self) -> None:
        """Take over, then take turns until cancelled."""
        taking: list[Asked] = []
        try:
            engine = await self._load()
            now_ns = self.now_ns()
            await self._record.append(engine.state, engine.start(now_ns), now_ns)
            self._engine = engine
            self.started.set()
            while True:
                taking, self._asked = self._asked, []
                await self._turn(engine, taking)
                await self._rest(engine)
        except BaseException as error:
            self._fail([*taking, *self._asked], error)
            raise
        finally:
            self._engine, self._asked = None, []
            self.started.clear()
            await self._delivery.stop()
            await self._calling.stop()

    # -- turns

    def _unlisted(self, message: NotificationDue) -> Sequence[Notified]:
        send_resolved = self._policy.send_resolved.get(message.receiver, True)
        return unlisted(message, self._running().alert, self.now_ns(), send_resolved=send_resolved)

    def _running(self) -> Engine:
        if self._engine is None:
            raise AlertManagerStopped("the alert manager is not running")
        return self._engine

    async def _ask(self, deed: Deed) -> None:
        self._running()
        asked = Asked(deed, asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        self._wake.set()
        await asked.done

    async def _turn(self, engine: Engine, taking: Sequence[Asked]) -> None:
        now_ns = self.now_ns()
        engine.set_graph(self._depends_on())
        decided: list[Body] = []
        accepted: list[Asked] = []
        for asked in taking:
            try:
                decided += asked.deed(engine, now_ns)
                accepted.append(asked)
            except Refused as error:
                _end(asked, error)
        decided += engine.advance(now_ns)
        for rider in self._riders:
            decided += rider.advance(decided, now_ns)
        await self._record.append(engine.state, decided, now_ns)
        for asked in accepted:
            _end(asked, None)
        if self._may_act():
            self._delivery.follow(engine.state.outbox, engine.due_sends(now_ns))
            if self.calls is not None:
                self._calling.follow(self.calls.outbox, self.calls.due_sends(now_ns))

    async def _rest(self, engine: Engine) -> None:
        """Sleep until something is due or asked."""
        if self._asked:
            self._wake.clear()
            return
        times = _retries(engine.state.outbox, self._delivery)
        times += _retries(self.calls.outbox, self._calling) if self.calls is not None else []
        if times and not self._may_act():
            times = [max(min(times), self.now_ns() + NOT_ALLOWED_WAIT_NS)]
        dues = [engine.next_due_ns(), *(rider.next_due_ns() for rider in self._riders)]
        due_ns = min([*times, *(due for due in dues if due is not None)], default=None)
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._wake.wait())]
        if due_ns is not None:
            waits.append(asyncio.ensure_future(self._clock.sleep(max(0.0, (due_ns - self.now_ns()) / 1e9))))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._wake.clear()

    def _fail(self, asked: Sequence[Asked], error: BaseException) -> None:
        told = error if isinstance(error, OrchestratorError) else AlertManagerStopped("the alert manager stopped")
        for one in asked:
            _end(one, told)

    def _heard(self, deed: Deed) -> None:
        """What became of a try is a deed of the next turn; nobody waits for it, so its failure is the end of `run`."""
        done = asyncio.get_running_loop().create_future()
        done.add_done_callback(_forget)
        self._asked.append(Asked(deed, done))
        self._wake.set()

    def _heard_of_call(self, deed: Deed) -> None:
        """A call's outbox takes the same deeds as the engine."""
        self._heard(lambda engine, now_ns: deed(self.calls, now_ns))  # type: ignore[arg-type]  # it has what a deed asks

    # -- start

    async def _load(self) -> Engine:
        state = await self._record.load()
        # Timers must not move with the wall clock, and no fact may be of the future: from here on, time only runs.
        self._base_ns = max(self._clock.wall_ns(), state.at_ns) - self._clock.boot_ns()
        engine = Engine(self._policy, state, self._lead)
        engine.is_out = self._delivery.may_be_known
        if self.calls is not None:
            self.calls.engine, self.calls.attention = engine, self.attention
            self.calls.is_out = self._calling.is_out
            self.calls.escalator.lead = self._lead
        return engine


def _retries(outbox: Mapping[str, Outgoing], delivery: Delivery) -> list[int]:
    return [outgoing.retry_at_ns for name, outgoing in outbox.items() if not delivery.is_trying(name)]


def _end(asked: Asked, error: BaseException | None) -> None:
    if asked.done.done():
        return
    if error is None:
        asked.done.set_result(None)
    else:
        asked.done.set_exception(error)


def _forget(done: asyncio.Future[None]) -> None:
    """Nobody waits for the report of a try; its failure is the end of `run`, which tells it."""
    if not done.cancelled():
        done.exception()
