"""PerpetualOperationsManager: holds the parts, starts them in order, and tells how they are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from trading_orchestrator import __version__
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Component, HealthState
from trading_orchestrator.kernel.supervisor import Ended, Supervisor
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.console.who_holds import WhoHolds
from trading_orchestrator.perpetual_operations.dependencies import start_order
from trading_orchestrator.perpetual_operations.feature_effects import FeatureEffects
from trading_orchestrator.perpetual_operations.health.health_checker import AtOnce, HealthChecker
from trading_orchestrator.perpetual_operations.health.probes.journal import JournalProbe
from trading_orchestrator.perpetual_operations.incidents.dead_nodes import DeadNodes, lives_no_more
from trading_orchestrator.perpetual_operations.monitoring.guards import Guards, nobody_takes_over
from trading_orchestrator.perpetual_operations.monitoring.journal_watch import JournalWatch
from trading_orchestrator.perpetual_operations.monitoring.node_watch import NodeWatch
from trading_orchestrator.perpetual_operations.monitoring.pool_metrics import PoolMetrics
from trading_orchestrator.perpetual_operations.on_first_use.alerts import AlertsOnFirstUse
from trading_orchestrator.perpetual_operations.on_first_use.console import ConsoleOnFirstUse
from trading_orchestrator.perpetual_operations.on_first_use.insights import InsightsOnFirstUse
from trading_orchestrator.perpetual_operations.on_first_use.own_routes import own_routes
from trading_orchestrator.perpetual_operations.own_repairs import own_repairs
from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import Action
from trading_orchestrator.perpetual_operations.recovery.ladder import Ladder
from trading_orchestrator.perpetual_operations.recovery.repairs import Repairs
from trading_orchestrator.perpetual_operations.registry import Registry
from trading_orchestrator.perpetual_operations.self_watch import SelfWatch
from trading_orchestrator.perpetual_operations.status import OperationsStatus, status_of
from trading_orchestrator.storage.connection_pool_manager import pools_of
from trading_orchestrator.storage.ports import FactStore, StorageUnavailable

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI

    from trading_orchestrator.perpetual_operations.alerts.loading import Plan
    from trading_orchestrator.perpetual_operations.alerts.runtime import AlertsRuntime
    from trading_orchestrator.perpetual_operations.console.console import Console
    from trading_orchestrator.perpetual_operations.console.routes.incidents import Impact
    from trading_orchestrator.perpetual_operations.monitoring.analytics.insights import Insights

log = logging.getLogger(__name__)
DRAIN_WITHIN_S = 2.0


class PerpetualOperationsManager(Registry):
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

    What programs hand over comes in as `Registry` says.
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
        self.node = node
        self.version = __version__
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
        self._watches_always = False
        self.journal = JournalWatch(store, clock)
        health = HealthChecker(
            clock,
            interval_s=config.health.interval_s,
            deadline_s=config.health.deadline_s,
            fall=config.health.fall_rounds,
            rise=config.health.rise_rounds,
            node=node,
        )
        self.at_stop = AsyncExitStack()
        self._stopping = asyncio.Lock()
        supervisor = Supervisor(clock, tell=self._ended)
        self.repairs = Repairs(
            config.recovery,
            store=store,
            clock=clock,
            node=node,
            supervisor=supervisor,
            report=lambda: self.report,
            is_gone=is_dead or (lambda name: False),
            is_alive=is_alive if is_dead is not None else None,
            meter=self.meter,
        )
        self.recovery, self.incidents = self.repairs.recovery, self.repairs.incidents
        circuits, pools = self.repairs.circuits, self.repairs.pools
        super().__init__(clock, supervisor=supervisor, health=health, circuits=circuits, pools=pools)
        self.watching.follow(PoolMetrics(self.pools.statuses, self.meter, self.pools.queries))
        self_watch = SelfWatch(
            self,
            watching=self.watching,
            guards=self.guards,
            only_watches=lambda: self._watches_always and not self.is_running,
        )
        self._alerts = AlertsOnFirstUse(
            config,
            registry=self,
            read_plan=read_alerts,
            store=store,
            data_dir=data_dir,
            node=node,
            boot_id=boot_id,
            is_dead=is_dead,
            watching=self.watching,
        )
        self._insights = InsightsOnFirstUse(
            config, registry=self, watching=self.watching, guards=self.guards, self_watch=self_watch
        )
        self._console = ConsoleOnFirstUse(
            config,
            registry=self,
            store=store,
            node=node,
            version=self.version,
            journal=self.journal,
            watching=self.watching,
            guards=self.guards,
            status=self.status,
            who=WhoHolds(store, clock, boot_id=boot_id, is_alive=is_alive),
            alerts=self._alerts.shown,
            routes=lambda: [*self._own_routes(impact), *more_routes()],
        )
        effects = FeatureEffects(
            config,
            store=store,
            clock=clock,
            supervisor=supervisor,
            health=health,
            monitor=self.monitor,
            recovery=self.recovery,
            runs_now=self._runs_now,
            show_page=self._console.show_page,
        )
        self.features = effects.features
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
        self_watch.watch_host(look, config.health)
        self_watch.watch_parts()
        for name, pool in pools_of(store).items():
            self.adopt_pool(name, pool)
        for name, action in own_repairs(self.guards, hand_over).items():
            self.add_recovery_action(name, action)

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
        return self._insights.insights()

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
        await self._alerts.end_last_word()
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
        await self._alerts.end_last_word()
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
            self._console.end_streams()
            stays = {part.name for part in self._stays} if self._watches_always else set()
            for name in reversed(self._order()):
                if name not in stays:
                    await self.supervisor.stop(name)
            if not stays:
                await self._settle()
            await self.at_stop.aclose()
            if was_running and self._watches_always:
                self._alerts.begin_last_word(self._last_look)

    async def _last_look(self) -> None:
        """Raise while the last look at the journal, which writes, found it taking nothing. A write of our own would
        wait behind all that others wait with.
        """
        found = next((part for part in self.report.parts if part.name == "journal"), None)
        if found is not None and found.state is HealthState.UNHEALTHY:
            raise StorageUnavailable(found.reason)

    def status(self) -> OperationsStatus:
        """Return how the wing is, in one sentence and one object."""
        return status_of(
            self.supervisor.children.values(),
            node=self.node,
            version=self.version,
            verdict=self.report.verdict,
            started_at_ns=self._started_at_ns,
            now_ns=self.clock.wall_ns(),
        )

    def console(self) -> Console:
        """Return the console of this process, built on first use: that imports web stack and numpy (0.4 s, 50 MB)."""
        return self._console.console()

    def alerts(self) -> AlertsRuntime:
        """Return the alerts of this process, built on first use.

        Raises:
            ConfigRefused: they cannot be used as configured; the sentence names file, line and key.
        """
        return self._alerts.runtime()

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

    def _runs_now(self, part: str) -> bool:
        return self.is_running or (self._watches_always and part in {each.name for each in self._stays})

    def _own_routes(self, impact: Impact | None) -> Sequence[APIRouter]:
        return own_routes(
            self.config,
            store=self.store,
            clock=self.clock,
            node=self.node,
            version=self.version,
            alerts=self._alerts,
            insights=self._insights,
            repairs=self.repairs,
            features=self.features,
            impact=impact,
        )

    def _order(self) -> Sequence[str]:
        """Parts may depend on bare probes, too; those have nothing to start."""
        parts = self.supervisor.children
        graph = {name: [on for on in part.component.depends_on if on in parts] for name, part in parts.items()}
        return start_order(graph)
