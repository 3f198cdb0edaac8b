"""PerpetualOperationsManager: holds the parts, starts them in order, and tells how they are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from trading_orchestrator.errors import OrchestratorError, Refused, Transient
from trading_orchestrator.kernel.circuit_breaker import CircuitBreaker, CircuitConfig
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Component, Health, HealthState
from trading_orchestrator.kernel.supervisor import Child, Ended, RestartRule, Supervisor
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.console.who_holds import WhoHolds
from trading_orchestrator.perpetual_operations.dependencies import start_order
from trading_orchestrator.perpetual_operations.feature_table import (
    DASHBOARD,
    FEATURES,
    HEALTH,
    MONITOR,
    PAGE,
    RECOVERY,
    FeatureRow,
    rows_over,
)
from trading_orchestrator.perpetual_operations.features import Feature, Features
from trading_orchestrator.perpetual_operations.health.diagnosis import WELL
from trading_orchestrator.perpetual_operations.health.health_checker import (
    AtOnce,
    HealthChecker,
    HealthReport,
    Kind,
    Probe,
)
from trading_orchestrator.perpetual_operations.health.probes.event_loop import event_loop_probe
from trading_orchestrator.perpetual_operations.health.probes.journal import JournalProbe
from trading_orchestrator.perpetual_operations.health.probes.own_part import own_part_probe
from trading_orchestrator.perpetual_operations.health.probes.progress import progress_probe
from trading_orchestrator.perpetual_operations.incidents.correlation import OF_THE_HOST
from trading_orchestrator.perpetual_operations.incidents.dead_nodes import DeadNodes, lives_no_more
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentLog
from trading_orchestrator.perpetual_operations.monitoring.guards import Guards, nobody_takes_over
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_history import MetricsHistory
from trading_orchestrator.perpetual_operations.monitoring.journal_watch import JournalWatch
from trading_orchestrator.perpetual_operations.monitoring.leaks.memory_leak_detector import MemoryLeakDetector
from trading_orchestrator.perpetual_operations.monitoring.node_watch import NodeWatch
from trading_orchestrator.perpetual_operations.monitoring.pool_metrics import PoolMetrics
from trading_orchestrator.perpetual_operations.monitoring.resources.resource_monitor import Lever
from trading_orchestrator.perpetual_operations.monitoring.system_monitor import SystemMonitor
from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import Action, Failure
from trading_orchestrator.perpetual_operations.recovery.ladder import Ladder
from trading_orchestrator.perpetual_operations.recovery.repairs import Repairs
from trading_orchestrator.perpetual_operations.status import OperationsStatus, PartStatus
from trading_orchestrator.storage.connection_pool import ConnectionPool, Connector, PoolConfig
from trading_orchestrator.storage.connection_pool_manager import ConnectionPoolManager, Measured, pools_of
from trading_orchestrator.storage.ports import FactStore, StorageUnavailable

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI

    from trading_orchestrator.perpetual_operations.alerts.lane import Lane
    from trading_orchestrator.perpetual_operations.alerts.loading import Plan
    from trading_orchestrator.perpetual_operations.alerts.runtime import AlertsRuntime
    from trading_orchestrator.perpetual_operations.console.console import Console
    from trading_orchestrator.perpetual_operations.console.routes.incidents import Impact
    from trading_orchestrator.perpetual_operations.monitoring.analytics.insights import Insights

log = logging.getLogger(__name__)
C = TypeVar("C")
ALERTS_SHOWN = 200
LAST_GOOD_ALERTS = "alerts.last-good.json"  # of nodes; a program that embeds us reads its own config
DRAIN_WITHIN_S = 2.0
OWN_PARTS: Mapping[str, Sequence[str]] = {
    SystemMonitor.name: (),
    MetricsHistory.name: (),
    HealthChecker.name: (),
    ConnectionPoolManager.name: (),
    IncidentLog.name: ("journal",),
    JournalWatch.name: ("journal",),
}
"""Our own parts that are watched like any other, and what each stands on."""
HOST_CAUSES: Mapping[str, Sequence[str]] = {
    "journal": ("disk",),
    "event_loop": ("cpu",),
    "memory": (MemoryLeakDetector.name,),
}
"""What of the host may be why a part is in trouble; which trouble, `BRINGS_ABOUT` says."""


class PerpetualOperationsManager:
    """The operations wing of one process. Start and stop may alternate; use from one event loop.

    Args:
        node: this node's name, as the journal and the page show it.
        boot_id: this boot, to judge leases by; "" when the program has no leases.
        is_alive: whether a node's process is known to live.
        impact: tells what orders and money did during an incident, for its report; None when nobody can.
        more_routes: called once, when the console is built; returns what other parts of the program serve beside it.
        shares_metrics: another process of this host may answer /metrics, so this one leaves its own where that looks.
        is_dead: whether a node's process is proved gone; None when names of nodes prove nothing.
        read_alerts: reads the plan of alerts, also when it is to be read anew; None takes it from `config` alone.
        hand_over: asks this process to leave in order, because of the reason, so that a fresh one takes its place.

    `at_stop` runs last in the next `stop`: push there what belongs to the manager alone, such as closing its store.
    """

    def __init__(
        self,
        config: OperationsConfig,
        *,
        store: FactStore,
        clock: Clock,
        data_dir: Path,
        node: str = "local",
        boot_id: str = "",
        is_alive: Callable[[str], bool] = lambda node: True,
        impact: Impact | None = None,
        more_routes: Callable[[], Sequence[APIRouter]] = tuple,
        shares_metrics: bool = False,
        is_dead: Callable[[str], bool] | None = None,
        read_alerts: Callable[[], Plan] | None = None,
        hand_over: Callable[[str], Awaitable[bool]] = nobody_takes_over,
    ) -> None:
        self.config = config
        self.store = store
        self.clock = clock
        self.node = node
        self._boot_id = boot_id
        self._is_alive = is_alive
        self._more_routes = more_routes
        self._impact = impact
        self._data_dir = data_dir
        self._is_dead = is_dead
        self._read_alerts = read_alerts
        self._alerts: AlertsRuntime | None = None
        self._last_word: asyncio.Task[None] | None = None
        self._channels: Sequence[str] = ()
        self.version = metadata.version("trading-orchestrator")
        self.watching = NodeWatch(
            config.monitoring,
            config.history,
            clock=clock,
            data_dir=data_dir,
            node=node,
            is_alive=is_alive,
            shares=shares_metrics,
            report=lambda: self.report,
        )
        self.loop_lag, self.monitor = self.watching.loop_lag, self.watching.monitor
        self.history, self.meter = self.watching.history, self.watching.meter
        self.guards = Guards(
            config.resources,
            config.leaks,
            watching=self.watching,
            store=store,
            clock=clock,
            data_dir=data_dir,
            node=node,
            hand_over=hand_over,
            keeps_house=lambda: self.is_running,
        )
        self.watching.guard(*self.guards.parts)
        self._insights: Insights | None = None
        self._watches_always = False
        self.journal = JournalWatch(store, clock)
        self.health = HealthChecker(
            clock,
            interval_s=config.health.interval_s,
            deadline_s=config.health.deadline_s,
            fall=config.health.fall_rounds,
            rise=config.health.rise_rounds,
            node=node,
        )
        self.at_stop = AsyncExitStack()
        self._stopping = asyncio.Lock()
        self.supervisor = Supervisor(clock, tell=self._ended)
        self.repairs = Repairs(
            config.recovery,
            store=store,
            clock=clock,
            node=node,
            supervisor=self.supervisor,
            report=lambda: self.report,
            is_gone=is_dead or (lambda name: False),
            is_alive=is_alive if is_dead is not None else None,
            meter=self.meter,
        )
        self.recovery, self.incidents = self.repairs.recovery, self.repairs.incidents
        self.circuits, self.pools = self.repairs.circuits, self.repairs.pools
        self.watching.follow(PoolMetrics(self.pools.statuses, self.meter, self.pools.queries))
        self._console: Console | None = None
        self.features = Features(store, clock, self._features())
        self._started_at_ns: int | None = None
        for part in (*self.watching.parts, self.journal, self.health, *self.repairs.parts, self.features):
            self.supervisor.add(part)
        if is_dead is not None:
            gone = partial(lives_no_more, is_alive)
            self.supervisor.add(DeadNodes(self.incidents, clock, gone, self.guards.given_up.end_for_the_dead))
        look = JournalProbe(
            store,
            clock,
            self.incidents.touch,
            answer_s=0.8 * config.health.deadline_s,
            slow_s=config.health.journal_slow_s,
            tell=(self.journal.saw, self.features.saw),
        )
        self.health.follow(self.recovery.reported)
        limits = {"degraded_s": config.health.loop_lag_degraded_s, "unhealthy_s": config.health.loop_lag_unhealthy_s}
        self._watch_host(look, event_loop_probe(self.loop_lag.worst_s, **limits))
        self._watch_own_parts(OWN_PARTS)
        for name, pool in pools_of(store).items():
            self.adopt_pool(name, pool)
        self._offer_repairs(hand_over)

    @property
    def is_running(self) -> bool:
        """Return whether the parts were started and not stopped since."""
        return self._started_at_ns is not None

    @property
    def report(self) -> HealthReport:
        """Return the newest health report."""
        return self.health.report

    def register(
        self, component: Component, rule: RestartRule | None = None, *, for_readiness: bool | None = None
    ) -> None:
        """Keep one more component running, and watch its health under its name. Started now if we run already.

        Args:
            rule: how it is started anew when it ends; None takes the defaults of RestartRule.
            for_readiness: as in `add_probe`.

        Raises:
            ComponentTaken, ProbeTaken: choose another name.
            DependencyUnknown, DependencyCircle: only when we run already; before, `start` says so.
        """
        part = self.supervisor.add(component, rule)
        try:
            probe = AtOnce(lambda: self._word_of(part))
            self.add_probe(component.name, probe, depends_on=component.depends_on, for_readiness=for_readiness)
        except Refused:
            del self.supervisor.children[component.name]
            raise
        if self.is_running:
            self.supervisor.start(component.name)

    def _watch_host(self, journal: Probe, event_loop: Probe) -> None:
        guarded = self.guards.probes()
        stands_on = {name: [cause for cause in causes if cause in guarded] for name, causes in HOST_CAUSES.items()}
        self.add_probe("journal", journal, depends_on=stands_on["journal"])
        self.add_probe("event_loop", event_loop, depends_on=stands_on["event_loop"])
        for name, probe in guarded.items():
            finder = name if name == self.guards.leaks.name else self.guards.resources.name
            found = self._unless_off(self.monitor.name, self._unless_off(finder, probe))
            asked = self._once_a_host(found) if name in OF_THE_HOST else found
            self.add_probe(name, asked, depends_on=stands_on.get(name, ()), for_readiness=False)

    def _watch_own_parts(self, stand_on: Mapping[str, Sequence[str]]) -> None:
        """Ask those of these parts that are built."""
        for name, stands_on in stand_on.items():
            if name in self.supervisor.children:
                probe = own_part_probe(self.supervisor.children[name], self._word_of, self.clock)
                self.add_probe(name, probe, depends_on=stands_on, for_readiness=False)

    def _once_a_host(self, probe: AtOnce) -> AtOnce:
        """What all nodes of a host share is the finding of the one that serves the console; for the others it only
        explains.
        """

        def ask() -> Health:
            health = probe.health()
            if self.is_running or not self._watches_always:
                return health
            if health.state in WELL:
                return Health(HealthState.HEALTHY, "watched by the node that serves the console", elsewhere=True)
            return replace(health, elsewhere=True)

        return AtOnce(ask)

    def _word_of(self, part: Child) -> Health:
        """A part that another node runs at present is no failure of this one, which only watches itself."""
        if not (part.wanted or self.is_running):
            return Health(HealthState.HEALTHY, "not run here at present", elsewhere=True)
        return part.health()

    def add_probe(
        self,
        name: str,
        probe: Probe,
        *,
        deadline_s: float | None = None,
        depends_on: Sequence[str] = (),
        kind: Kind = Kind.READINESS,
        for_readiness: bool | None = None,
        is_proof: bool = False,
    ) -> None:
        """Ask `probe` each round; the names it depends on are those of probes and components.

        Args:
            is_proof: one reading of it is enough either way, because it tells what is proved and cannot flap.
            kind: of LIVENESS, /livez is 503 while it is unhealthy.
            for_readiness: whether /readyz is 503 while it is down; None: all but probes of progress.

        Raises:
            ProbeTaken: choose another name.
            DependencyUnknown, DependencyCircle: only when we run already; before, `start` says so.
        """
        self.health.add(
            name,
            probe,
            deadline_s=deadline_s,
            depends_on=depends_on,
            kind=kind,
            for_readiness=for_readiness,
            is_proof=is_proof,
        )
        if self.is_running:
            try:
                self.health.check_graph()
            except Refused:
                self.health.remove(name)
                raise

    def add_progress(
        self,
        name: str,
        done: Callable[[], float],
        arrived: Callable[[], float],
        *,
        within_s: float = 30.0,
        depends_on: Sequence[str] = (),
    ) -> None:
        """Watch as `progress/NAME` that what arrives gets done; a component of this name is restarted when it does not.

        Args:
            done, arrived: counters since the start; reading them must not block.
            within_s: without one thing done for so long after the first that arrived, it counts as stuck.

        Raises: as `add_probe`.
        """
        probe = progress_probe(done, arrived, within_s=within_s, clock=self.clock)
        self.add_probe(f"progress/{name}", probe, depends_on=depends_on, kind=Kind.PROGRESS)

    def add_pool(
        self,
        name: str,
        connector: Connector[C],
        config: PoolConfig | None = None,
        *,
        is_harmless: Callable[[BaseException], bool] = lambda error: False,
        depends_on: Sequence[str] = (),
    ) -> ConnectionPool[C]:
        """Make a pool that is tended, tuned and drained with the rest, and watched as `pool/NAME`.

        Raises:
            PoolTaken, ProbeTaken: choose another name; nothing was made.
            DependencyUnknown, DependencyCircle: only when we run already; before, `start` says so. Nothing was made.
        """
        pool = self.pools.add(name, connector, config, is_harmless=is_harmless)
        try:
            self.add_probe(f"pool/{name}", AtOnce(lambda: self.pools.health_of(name)), depends_on=depends_on)
        except Refused:
            self.pools.forget(name)
            raise
        return pool

    def adopt_pool(self, name: str, pool: Measured, *, depends_on: Sequence[str] = ()) -> None:
        """Show a pool that somebody else keeps beside ours, and watch it as `pool/NAME`.

        It is tended and tuned when it offers `tend` and `tune`; `release_pool` ends that.

        Raises: as `add_pool`.
        """
        self.pools.adopt(name, pool)
        probe = AtOnce(lambda: self.pools.health_of(name))
        try:
            self.add_probe(f"pool/{name}", probe, depends_on=depends_on, for_readiness=False)
        except Refused:
            self.pools.forget(name)
            raise

    def release_pool(self, name: str) -> None:
        """Show an adopted pool no longer; unknown names are ignored."""
        self.pools.forget(name)
        self.health.remove(f"pool/{name}")

    def add_dependency(
        self,
        name: str,
        probe: Probe,
        config: CircuitConfig | None = None,
        *,
        deadline_s: float | None = None,
        depends_on: Sequence[str] = (),
        for_readiness: bool | None = None,
    ) -> CircuitBreaker:
        """Watch something outside as `dependency/NAME`, and return the circuit that calls to it should go through.

        Args:
            for_readiness: as in `add_probe`; False when this program still has answers without it.

        Raises:
            ProbeTaken, CircuitTaken: choose another name; nothing was made.
            DependencyUnknown, DependencyCircle: only when we run already; before, `start` says so. Nothing was made.
        """
        part = f"dependency/{name}"
        circuit = self.circuits.add(part, config)
        try:
            self.add_probe(part, probe, deadline_s=deadline_s, depends_on=depends_on, for_readiness=for_readiness)
        except Refused:
            self.circuits.forget(part)
            raise
        return circuit

    def add_ladder(self, ladder: Ladder) -> None:
        """Let failures of this class, or parts of these names, climb this ladder instead of a default one.

        Raises:
            LadderRefused: only when we run already; before, `start` says so.
        """
        if self.is_running or self._watches_always:
            ladder.check(self.recovery.actions)
        self.recovery.ladders.add(ladder)

    def add_recovery_action(self, name: str, action: Action, *, repairs: bool = True) -> None:
        """Let ladders name an action; one of a default's name takes its place.

        The action gets the failure and returns a sentence on what it did; raising means that it could not.

        Args:
            repairs: whether it can bring the part back; one that only makes it safe gets no credit.
        """
        self.recovery.add_action(name, action, replace=True, repairs=repairs)

    def add_cache(self, name: str, clear: Callable[[], int]) -> None:
        """Have a cache emptied when memory is short; `clear` returns how many entries it dropped."""
        self.guards.relief.add_cache(name, clear)
        self.repairs.actions.add_cache(name, clear)

    def insights(self) -> Insights:
        """Return what is unusual, what runs out and what fits here; built on first use, which imports numpy."""
        if self._insights is None:
            from trading_orchestrator.perpetual_operations.monitoring.analytics.insights import Insights

            self._insights = Insights(
                self.config.analytics,
                self.config.resources,
                memory_bytes=self.guards.memory_bytes,
                watching=self.watching,
                clock=self.clock,
                report=lambda: self.report,
                probe_interval_s=self.config.health.interval_s,
                keeps_history=self.config.history.enabled,
            )
            if self.config.analytics.enabled:
                analyst = self._insights.analyst
                self.supervisor.add(analyst)
                self._watch_own_parts({analyst.name: analyst.depends_on})
                self.guards.resources.add_lever("optional_jobs", Lever(analyst.pause, analyst.resume))
                if self.is_running:
                    self.supervisor.start(analyst.name)
        return self._insights

    def watch(self) -> None:
        """Measure, check health and repair from now on and until `unwatch`, whether or not the rest is started.

        Every node does, also one that only trades: its failures are found where they are.
        """
        self.health.check_graph()
        self.repairs.check()
        self._watches_always = True
        for part in self._stays:
            self.supervisor.start(part.name)

    async def unwatch(self) -> None:
        """Stop what `watch` started; what was measured and said last is written."""
        self._watches_always = False
        await self._end_last_word()
        if not self.is_running:
            for part in reversed(self._stays):
                await self.supervisor.stop(part.name)
            await self._settle()
            self.watching.close()

    @property
    def _stays(self) -> Sequence[Component]:
        return (*self.watching.parts, self.health, *self.repairs.parts, self.features)

    def prepare(self) -> None:
        """Build what `start` would: 80 ms of a loop that a standby must keep free.

        Raises:
            ConfigRefused: the alerts cannot be used as configured.
        """
        if self.config.alerts.enabled:
            self.alerts()

    async def start(self) -> None:
        """Start every part after what it depends on, and have one health report before returning.

        Raises:
            DependencyUnknown, DependencyCircle: a registration names what is not there; nothing was started.
            LadderRefused: a ladder names an action that nobody registered; nothing was started.
            ConfigRefused: the alerts cannot be used as configured; nothing was started.
        """
        if self.is_running:
            return
        self.prepare()
        self.health.check_graph()
        self.repairs.check()
        self._started_at_ns = self.clock.wall_ns()
        try:
            await self.circuits.hear_operators(self.store)
        except OrchestratorError as error:
            log.warning("what operators said of circuits cannot be read: %s", error.message)
        await self._end_last_word()
        if self._console is not None:
            self._console.reopen_streams()
        for name in self._order():
            self.supervisor.start(name)
        if not self.supervisor.is_off(self.health.name):
            await self.health.check()
        log.info("operations started: %s", self.report.verdict)

    async def stop(self) -> None:
        """Stop every part in the reverse order; stopping twice does nothing more."""
        async with self._stopping:
            was_running, self._started_at_ns = self.is_running, None
            if self._console is not None:
                self._console.end_streams()
            stays = {part.name for part in self._stays} if self._watches_always else set()
            for name in reversed(self._order()):
                if name not in stays:
                    await self.supervisor.stop(name)
            if not stays:
                await self._settle()
            await self.at_stop.aclose()
            if was_running and self._watches_always and self._alerts is not None:
                speaking = self._alerts.speak_last(self._last_look)
                self._last_word = asyncio.create_task(speaking, name="last word of alerts")

    async def _last_look(self) -> None:
        """Raise while the last look at the journal, which writes, found it taking nothing. A write of our own would
        wait behind all that others wait with.
        """
        found = next((part for part in self.report.parts if part.name == "journal"), None)
        if found is not None and found.state is HealthState.UNHEALTHY:
            raise StorageUnavailable(found.reason)

    async def _end_last_word(self) -> None:
        task, self._last_word = self._last_word, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def status(self) -> OperationsStatus:
        """Return how the wing is, in one sentence and one object."""
        parts = tuple(_status(part) for part in self.supervisor.children.values())
        bad = [part.name for part in parts if part.state in (HealthState.UNHEALTHY, HealthState.STOPPED)]
        if not self.is_running:
            sentence = "Operations are stopped."
        elif bad:
            sentence = f"Operations run, but not {', '.join(bad)}."
        else:
            sentence = f"Operations run: {len(parts)} parts. {self.report.verdict}"
        now_ns = self.clock.wall_ns()
        started_at_ns = self._started_at_ns or 0
        uptime_s = (now_ns - started_at_ns) / 1e9 if started_at_ns else 0.0
        return OperationsStatus(
            sentence,
            self.is_running,
            self.node,
            self.version,
            started_at_ns,
            round(uptime_s, 1),
            self.report.verdict,
            parts,
        )

    def console(self) -> Console:
        """Return the console of this process, built on first use: that imports web stack and numpy (0.4 s, 50 MB)."""
        if self._console is None:
            from trading_orchestrator.perpetual_operations.console.console import Console

            if self.config.history.enabled:
                self.history.load()
                spare = self.history.spare_disk  # only who keeps house can drop anything
                lever = Lever(partial(spare, on=True), partial(spare, on=False))
                self.guards.resources.add_lever("old_measurements", lever)
            self._console = Console(
                self.config.console,
                store=self.store,
                clock=self.clock,
                health=self.health,
                journal=self.journal,
                watching=self.watching,
                history=self.history if self.config.history.enabled else None,
                status=self.status,
                page_off=lambda: self.supervisor.is_off(PAGE),
                who=WhoHolds(self.store, self.clock, boot_id=self._boot_id, is_alive=self._is_alive),
                node=self.node,
                version=self.version,
                alerts=self._alerts_shown if self.config.alerts.enabled else tuple,
                more_routes=[*self._own_routes(), *self._more_routes()],
            )
            self.guards.resources.add_lever(
                "dashboard_rate", Lever(self._console.slow_down, self._console.as_configured)
            )
            for feed in self._console.feeds:
                self.supervisor.add(feed)
                if self.is_running:
                    self.supervisor.start(feed.name)
        return self._console

    def alerts(self) -> AlertsRuntime:
        """Return the alerts of this process, built on first use.

        Raises:
            ConfigRefused: they cannot be used as configured; the sentence names file, line and key.
        """
        if self._alerts is None:
            from trading_orchestrator.perpetual_operations.alerts.starting import alerts_of, plan_of, signs_of_life

            self._alerts = alerts_of(
                self._read_alerts or plan_of(self.config.alerts),
                store=self.store,
                clock=self.clock,
                node=self.node,
                boot_id=self._boot_id,
                is_dead=self._is_dead,
                nodes=self.watching.nodes_now,
                report=lambda: self.report,
                last_good=self._data_dir / LAST_GOOD_ALERTS if self._is_dead is not None else None,
                meter=self.meter,
                history=self.history if self.config.history.enabled else None,
                in_use=self._keep_channels,
            )
            self.register(self._alerts, for_readiness=False)
            self.register(
                signs_of_life(
                    self._alerts,
                    self.config.watchdog,
                    clock=self.clock,
                    data_dir=self._data_dir,
                    node=self.node,
                    report=lambda: self.report,
                ),
                for_readiness=False,
            )
        return self._alerts

    def _keep_channels(self, lanes: Sequence[Lane]) -> None:
        """Channels are shown as pools and circuits while their lanes carry letters; their health is that of alerts."""
        for name in self._channels:
            self.circuits.forget(name)
            self.pools.forget(name)
        self._channels = [lane.breaker.name for lane in lanes]
        for lane in lanes:
            self.circuits.adopt(lane.breaker, part="alerts")
            self.pools.adopt(lane.breaker.name, lane.uses)

    def console_app(self) -> FastAPI:
        """Return the console's ASGI app."""
        return self.console().app

    def _ended(self, ended: Ended) -> None:
        self.repairs.ended(ended)
        if ended.over_budget and not self.health.watches(ended.component):
            self.health.add(ended.component, AtOnce(self.supervisor.children[ended.component].health))

    async def _settle(self) -> None:
        """The last words of an ordered stop: what was said is journaled, what was lent comes back."""
        await self.pools.drain(DRAIN_WITHIN_S)
        try:
            await asyncio.wait_for(self.incidents.flush(), DRAIN_WITHIN_S)
        except (OrchestratorError, TimeoutError) as error:
            log.warning("the last facts of operations could not be journaled: %s", error)

    def _features(self) -> Sequence[Feature]:
        """One for each part that the config builds; a part that it switches off waits for a person."""
        features = []
        for row in FEATURES:
            if row.is_built(self.config):
                is_on = row.is_on(self.config)
                features.append(Feature(row.name, row.what, is_on, partial(self._turn, row)))
                for part in row.parts if not is_on else ():
                    self.supervisor.keep_off(part, "the config")
                if not is_on:
                    self._turned(row, on=False, because="the config")
        return features

    async def _turn(self, row: FeatureRow, on: bool, because: str) -> None:
        for part in row.parts:
            if not on:
                await self.supervisor.switch_off(part, because)
            elif all(self.features.is_on(name) for name in rows_over(part)):
                self.supervisor.switch_on(part)
                stays = self._watches_always and part in {each.name for each in self._stays}
                if part in self.supervisor.children and (stays or self.is_running):
                    self.supervisor.start(part)
        self._turned(row, on=on, because=because)

    def _turned(self, row: FeatureRow, *, on: bool, because: str) -> None:
        """What a switch means beyond the parts that run."""
        if row.name == RECOVERY:
            self.recovery.switch(on)
        elif row.name == HEALTH and not on:
            self.health.set_aside(because)
        elif row.name == MONITOR and not on:
            self.monitor.forget()
        elif row.name == DASHBOARD and self._console is not None:
            self._console.show_page(on=on)

    def _unless_off(self, part: str, probe: AtOnce) -> AtOnce:
        """What a part found before it was switched off is no finding any more."""

        def ask() -> Health:
            off = self.supervisor.is_off(part)
            return Health(HealthState.HEALTHY, f"switched off: {off}", elsewhere=True) if off else probe.health()

        return AtOnce(ask)

    def _offer_repairs(self, hand_over: Callable[[str], Awaitable[bool]]) -> None:
        async def shed_load(failure: Failure) -> str:
            return await self.guards.shed_load(failure.part)

        async def clean_up(failure: Failure) -> str:
            return await self.guards.clean_up(failure.part)

        async def leave(failure: Failure) -> str:
            if not await hand_over(failure.reason):
                raise Refused("nobody can take this node's place now")
            return "asked this node to hand over"

        async def measure_clock(failure: Failure) -> str:
            return await self.guards.clock.measure()

        self.add_recovery_action("measure_clock", measure_clock)
        if self.guards.resources in self.guards.parts:
            self.add_recovery_action("shed_load", shed_load)
            self.add_recovery_action("clean_up", clean_up)
        if hand_over is not nobody_takes_over:
            self.add_recovery_action("hand_over", leave)

    def _alerts_shown(self) -> Sequence[Mapping[str, object]]:
        """What the page shows; while another process tells of alerts, or none does, the part's health says so."""
        from trading_orchestrator.perpetual_operations.alerts.standing import shown_alerts

        try:
            return shown_alerts(self.alerts().manager, ALERTS_SHOWN)
        except Transient:
            return ()

    def _alert_routes(self) -> Sequence[APIRouter]:
        if not self.config.alerts.enabled:
            return ()
        from trading_orchestrator.perpetual_operations.console.routes.alertmanager import alertmanager_routes
        from trading_orchestrator.perpetual_operations.console.routes.alerts import alert_routes

        return [
            alert_routes(self.alerts, self.store, self.clock),
            alertmanager_routes(self.alerts, self.clock, version=self.version),
        ]

    def _own_routes(self) -> Sequence[APIRouter]:
        from trading_orchestrator.perpetual_operations.console.routes.incidents import incident_routes, no_impact
        from trading_orchestrator.perpetual_operations.console.routes.insights import insight_routes
        from trading_orchestrator.perpetual_operations.console.routes.switches import switch_routes

        return [
            *self._alert_routes(),
            insight_routes(self.insights()),
            incident_routes(self.repairs, store=self.store, impact=self._impact or no_impact),
            switch_routes(self.repairs, self.features, store=self.store, clock=self.clock, node=self.node),
        ]

    def _order(self) -> Sequence[str]:
        """Parts may depend on bare probes, too; those have nothing to start."""
        parts = self.supervisor.children
        graph = {name: [on for on in part.component.depends_on if on in parts] for name, part in parts.items()}
        return start_order(graph)


def _status(part: Child) -> PartStatus:
    health = part.health()
    depends_on = tuple(part.component.depends_on)
    return PartStatus(part.component.name, health.state, health.reason, depends_on, part.restarts)
