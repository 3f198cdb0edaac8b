"""Alerts as a running part: holds the lease, evaluates the rules, tells people, and follows a changed config."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from trading_orchestrator.errors import Refused
from trading_orchestrator.journal.leases import HeldLease
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.kernel.config import nearest
from trading_orchestrator.perpetual_operations.alerts.alert_manager import (
    CHANNEL_DOWN,
    AlertManager,
    AlertManagerStopped,
)
from trading_orchestrator.perpetual_operations.alerts.board import contacts_of, try_out, ways_of
from trading_orchestrator.perpetual_operations.alerts.calls import Calls
from trading_orchestrator.perpetual_operations.alerts.channels.kinds import kind_named
from trading_orchestrator.perpetual_operations.alerts.escalation.escalator import Escalator
from trading_orchestrator.perpetual_operations.alerts.escalation.policy import EscalationPolicy
from trading_orchestrator.perpetual_operations.alerts.in_force import InForce, digest_of, keep, plan_now
from trading_orchestrator.perpetual_operations.alerts.lane import Lane
from trading_orchestrator.perpetual_operations.alerts.last_resort import CANNOT_COMMIT, LastResort
from trading_orchestrator.perpetual_operations.alerts.loading import Plan
from trading_orchestrator.perpetual_operations.alerts.readings import Reading
from trading_orchestrator.perpetual_operations.alerts.root_cause import DependsOn
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.silent_source import HeartbeatRule
from trading_orchestrator.perpetual_operations.alerts.rules_rider import RulesRider
from trading_orchestrator.perpetual_operations.alerts.switchboard import Switchboard
from trading_orchestrator.perpetual_operations.alerts.telling_again import tell_again
from trading_orchestrator.perpetual_operations.alerts.tenure import LEASE, Tenure
from trading_orchestrator.perpetual_operations.alerts.watching import ReadPast, Watching, nothing_is_kept
from trading_orchestrator.storage.ports import FactStore, NewFact, Put, StaleEpoch

log = logging.getLogger(__name__)
TAKES_OVER_WITHIN_S = 5.0
CONFIG, CONFIG_KEY, REFUSED_KEY = "alerts/config", "plan", "refused"
CHANGED, REFUSED = "config.alerts_changed", "config.alerts_refused"
Read = Callable[[], Awaitable[Iterable[Reading]]]


class MonitorUnknown(Refused):
    """A beat of a program that nobody watches. Facts: monitor."""

    code = "alerts.monitor_unknown"


class PlanRow(msgspec.Struct, frozen=True, kw_only=True):
    """Which config is in force, as fact and row; the digest is of all of it, and secrets are no part of it."""

    source: str
    digest: str
    by: str
    rules: tuple[str, ...]
    receivers: tuple[str, ...]
    at_ns: int


class PlanRefused(msgspec.Struct, frozen=True, kw_only=True):
    """A changed config that could not be used, as fact and row; the one before stays in force."""

    by: str
    reason: str
    at_ns: int


@dataclass(frozen=True)
class Outside:
    """What the runtime is given by whoever starts it.

    read: everything that can be measured now. read_plan: reads the config anew. open_board: opens its channels.
    past: returns what was measured of some metrics until now.
    depends_on: which parts of the program stand on which. in_use: hears which lanes carry letters now; () when none.
    """

    read: Read
    read_plan: Callable[[], Plan]
    open_board: Callable[[Plan], Switchboard]
    past: ReadPast = nothing_is_kept
    depends_on: Callable[[], DependsOn] = dict
    in_use: Callable[[Sequence[Lane]], None] = lambda lanes: None


class AlertsRuntime:
    """A component (kernel.component.Component). Use from one event loop.

    Whoever holds `ops/alerts` evaluates and tells; every other process stands by, and takes over with the whole state
    when the holder is gone. A changed config is the same move: what runs is ended, and its successor folds the facts.

    Args:
        last_good: where the config in force is kept for a successor; None keeps none.
        refused: why `plan` is that one instead of what stands in the config now; recorded at the take-over.
    """

    name = "alerts"
    depends_on: Sequence[str] = ("journal",)

    def __init__(
        self,
        plan: Plan,
        *,
        store: FactStore,
        clock: Clock,
        tenure: Tenure,
        outside: Outside,
        last_good: Path | None = None,
        refused: str = "",
    ) -> None:
        self.plan = plan
        self._refused = refused
        self._last_good = last_good
        self._store = store
        self._clock = clock
        self._tenure = tenure
        self._outside = outside
        self._manager: AlertManager | None = None
        self._watching: Watching | None = None
        self._board: Switchboard | None = None
        self._last_resort = LastResort(clock, node=tenure.holder)
        self._quiet_since_ns = clock.monotonic_ns()
        self._is_ours = asyncio.Event()
        self._changed = asyncio.Event()

    @property
    def manager(self) -> AlertManager:
        """Return the running alert manager.

        Raises:
            AlertManagerStopped: it starts, or another process holds the lease.
        """
        if self._manager is None:
            held_by = self._tenure.held_by
            is_other = held_by not in ("", self._tenure.holder)
            who = f"{held_by} holds the lease {LEASE}" if is_other else "the alert manager is starting"
            raise AlertManagerStopped(f"{who}: ask again", retry_after_s=1.0)
        return self._manager

    def health(self) -> Health:
        manager, watching = self._manager, self._watching
        if manager is None or watching is None:
            return self._standing_by()
        own = manager.health()
        if watching.broken:
            return Health(HealthState.DEGRADED, next(iter(watching.broken.values())).message)
        channels = self._board.health() if self._board is not None else own
        return own if channels.state is HealthState.HEALTHY else replace(channels, failure=CHANNEL_DOWN)

    def _standing_by(self) -> Health:
        """A take-over takes moments and holds up nobody; one that does not come is an outage of its own."""
        if self.is_told_elsewhere:
            return Health(HealthState.HEALTHY, f"{self._tenure.held_by} tells of alerts")
        if self._last_resort.trouble:
            return Health(HealthState.UNHEALTHY, self._last_resort.trouble)
        waited_s = (self._clock.monotonic_ns() - self._quiet_since_ns) / 1e9
        if waited_s > TAKES_OVER_WITHIN_S:
            return Health(HealthState.UNHEALTHY, f"nobody has told of alerts for {waited_s:.0f} s")
        return Health(HealthState.HEALTHY, "takes over")

    @property
    def is_told_elsewhere(self) -> bool:
        """Return whether another process holds the lease, and so answers for the alerts."""
        return self._tenure.held_by not in ("", self._tenure.holder)

    @property
    def board(self) -> Switchboard:
        """Return the open channels.

        Raises:
            AlertManagerStopped: it starts, or another process holds the lease.
        """
        if self._board is None:
            raise AlertManagerStopped("the alert manager is not running here", retry_after_s=1.0)
        return self._board

    async def beat(self, monitor: str) -> None:
        """Take a sign of life of a monitored program.

        Raises:
            MonitorUnknown: no rule watches it.
            AlertManagerStopped, StaleEpoch, StorageUnavailable, CommitUnknown: beat again.
        """
        known = [rule.monitor for rule in self.plan.rules if isinstance(rule, HeartbeatRule)]
        if monitor not in known:
            hint = nearest(monitor, known) if known else "no rule of the kind heartbeat is configured"
            raise MonitorUnknown(f"no rule watches the heartbeat of {monitor!r}; {hint}", monitor=monitor)
        manager, watching = self.manager, self._watching
        if watching is not None:
            await watching.beat(monitor, manager)

    async def reload(self, by: str) -> Plan:
        """Read the config anew and follow it; a wrong one changes nothing, and is recorded with its reason.

        Raises:
            ConfigRefused, Refused: the one before stays in force.
            AlertManagerStopped: another process holds the lease, and would not follow.
        """
        if self.is_told_elsewhere:
            _ = self.manager
        try:
            plan = await asyncio.to_thread(self._outside.read_plan)
            await try_out(plan, self._outside.open_board)
        except Refused as error:
            await self._say_refused(error.message, by)
            log.error("alerts go on with the config they have: %s", error.message)
            raise
        self.plan, self._refused = plan, ""
        await self._say_plan(plan, by)
        self._is_ours.clear()
        self._changed.set()
        if self._manager is not None:
            await self._clock_or(self._is_ours, TAKES_OVER_WITHIN_S)
        return plan

    async def _clock_or(self, event: asyncio.Event, within_s: float) -> None:
        waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self._clock.sleep(within_s))]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def speak_last(self, write: Callable[[], Awaitable[None]]) -> None:
        """For a process that ran and must not any more: when nothing can be recorded, no other may run either.

        Returns when the write succeeds: from then on whoever runs speaks for all.
        """
        await self._last_resort.use(self._outside.open_board(self.plan))
        try:
            await self._last_resort.until_it_commits(write)
        finally:
            await self._last_resort.close()

    async def run(self) -> None:
        """Wait for the lease, tell of alerts under it, and wait again when it is lost; until cancelled."""
        self._quiet_since_ns = self._clock.monotonic_ns()
        if not self._last_resort.has_channels:
            await self._last_resort.use(self._outside.open_board(self.plan))
        try:
            while True:
                await self._hold_once()
        except CANNOT_COMMIT as error:
            await self._last_resort.heed(error)
            raise
        except asyncio.CancelledError:
            await self._last_resort.close()
            raise

    async def _hold_once(self) -> None:
        held = await self._tenure.obtain()
        try:
            await self._read_anew()
            await self._under(held)
        except StaleEpoch as error:
            log.warning("alerts: %s", error.message)
        finally:
            await asyncio.shield(self._tenure.give_back(held))

    async def _read_anew(self) -> None:
        """Follow what was changed and reloaded while another process told of alerts."""
        before = InForce(self.plan, self._refused)
        found = await asyncio.to_thread(
            plan_now, self._outside.read_plan, self._outside.open_board, self._last_good, known=before.plan
        )
        if self.plan is before.plan:  # else a reload was faster
            self.plan, self._refused = found

    async def _under(self, held: HeldLease) -> None:
        row = await self._store.row(CONFIG, CONFIG_KEY)
        is_new = row is None or msgspec.json.decode(row.value, type=PlanRow).digest != digest_of(self.plan.config)
        was_refused = await self._store.row(CONFIG, REFUSED_KEY) is not None
        if is_new or (was_refused and not self._refused):
            await self._say_plan(self.plan, "start")
        if self._refused:
            await self._say_refused(self._refused, "start")
        watched: Watching | None = None
        while not held.lost.is_set():
            self._changed.clear()
            watched = await self._follow(self.plan, held, watched)

    async def _follow(self, plan: Plan, held: HeldLease, before: Watching | None) -> Watching:
        """Run by this plan until it changes or the lease is lost; returns what watched.

        Args:
            before: what watched under this lease until now.
        """
        rules = RulesRider(plan.books())
        board = self._outside.open_board(plan)
        self._outside.in_use([*board.lanes.values()])
        await self._last_resort.use(self._outside.open_board(plan))
        manager = AlertManager(
            self._store,
            self._clock,
            plan.policy,
            node=self._tenure.holder,
            fence=held.fence,
            channels=ways_of(plan, board),
            riders=[rules],
            calls=_calls(plan),
            contacts=contacts_of(plan, board),
            may_act=held.may_act,
            depends_on=self._outside.depends_on,
        )
        watching = Watching(
            rules.books,
            self._store,
            self._clock,
            read=self._outside.read,
            interval_s=plan.config.interval_s,
            past=self._outside.past,
            before=before,
        )
        ends = [asyncio.ensure_future(held.lost.wait()), asyncio.ensure_future(self._changed.wait())]
        running = asyncio.create_task(self._run_both(manager, watching, board), name="alerts-running")
        try:
            await asyncio.wait((running, *ends), return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
        finally:
            self._manager = self._watching = self._board = None
            self._quiet_since_ns = self._clock.monotonic_ns()
            for task in (running, *ends):
                task.cancel()
            await asyncio.gather(running, *ends, return_exceptions=True)
            self._outside.in_use(())
            await board.close()
        return watching

    async def _run_both(self, manager: AlertManager, watching: Watching, board: Switchboard) -> None:
        telling = asyncio.create_task(manager.run(), name="alert-manager")
        started = asyncio.ensure_future(manager.started.wait())
        tasks: list[asyncio.Future[object]] = [telling, started]  # type: ignore[list-item]  # None and True are objects
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not telling.done():
                self._manager, self._watching, self._board = manager, watching, board
                self._is_ours.set()
                await self._last_resort.over()
                tasks[1] = asyncio.ensure_future(watching.run(manager))
                if board.forgetful:
                    tasks.append(asyncio.ensure_future(tell_again(manager, self.plan, board, self._clock)))
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _say_plan(self, plan: Plan, by: str) -> None:
        row = PlanRow(
            source=plan.source,
            digest=digest_of(plan.config),
            by=by,
            rules=tuple(rule.name for rule in plan.rules),
            receivers=tuple(plan.receivers),
            at_ns=self._clock.wall_ns(),
        )
        await self._append(CHANGED, row, (Put(CONFIG, CONFIG_KEY, row), Put(CONFIG, REFUSED_KEY, None)))
        if self._last_good is not None:
            await asyncio.to_thread(keep, self._last_good, plan.config)

    async def _say_refused(self, reason: str, by: str) -> None:
        refused = PlanRefused(by=by, reason=reason, at_ns=self._clock.wall_ns())
        await self._append(REFUSED, refused, (Put(CONFIG, REFUSED_KEY, refused),))

    async def _append(self, kind: str, body: object, puts: Sequence[Put]) -> None:
        await self._store.append([NewFact("config", kind, body)], node=self._tenure.holder, fence=None, puts=puts)


def _calls(plan: Plan) -> Calls | None:
    """Return who calls people; schedules without ladders say who is on call, and call nobody."""
    ladders = plan.config.escalations
    if not ladders and not plan.schedules:
        return None
    people = {name: user.contacts for name, user in plan.config.users.items()}
    default = next(iter(ladders.values()), EscalationPolicy(steps=()))
    escalator = Escalator(default, people, policies=ladders, schedules=plan.schedules)
    kinds = {name: str(values.get("kind")) for name, values in plan.config.channels.items()}
    return Calls(
        escalator, plan.receivers, kept_open=[name for name, kind in kinds.items() if kind_named(kind).keeps_open]
    )
