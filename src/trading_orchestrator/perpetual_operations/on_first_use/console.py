"""The console of one process, built on first use: that imports web stack and numpy (0.4 s, 50 MB)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.console.who_holds import WhoHolds
from trading_orchestrator.perpetual_operations.feature_table import PAGE
from trading_orchestrator.perpetual_operations.monitoring.guards import Guards
from trading_orchestrator.perpetual_operations.monitoring.journal_watch import JournalWatch
from trading_orchestrator.perpetual_operations.monitoring.node_watch import NodeWatch
from trading_orchestrator.perpetual_operations.monitoring.resources.resource_monitor import Lever
from trading_orchestrator.perpetual_operations.registry import Registry
from trading_orchestrator.perpetual_operations.status import OperationsStatus
from trading_orchestrator.storage.ports import FactStore

if TYPE_CHECKING:
    from fastapi import APIRouter

    from trading_orchestrator.perpetual_operations.console.console import Console


class ConsoleOnFirstUse:
    """Builds the console once, with what its host may ask it to give up. Use from one event loop.

    Args:
        alerts: returns the alerts that the page shows.
        routes: called once, when the console is built; returns what is served beside it.
    """

    def __init__(
        self,
        config: OperationsConfig,
        *,
        registry: Registry,
        store: FactStore,
        node: str,
        version: str,
        journal: JournalWatch,
        watching: NodeWatch,
        guards: Guards,
        status: Callable[[], OperationsStatus],
        who: WhoHolds,
        alerts: Callable[[], Sequence[Mapping[str, object]]],
        routes: Callable[[], Sequence[APIRouter]],
    ) -> None:
        self._config = config
        self._registry = registry
        self._store = store
        self._node = node
        self._version = version
        self._journal = journal
        self._watching = watching
        self._resources = guards.resources
        self._status = status
        self._who = who
        self._alerts = alerts
        self._routes = routes
        self._console: Console | None = None

    def console(self) -> Console:
        """Return the console."""
        if self._console is None:
            from trading_orchestrator.perpetual_operations.console.console import Console

            history = self._watching.history if self._config.history.enabled else None
            if history is not None:
                history.load()
                spare = history.spare_disk  # only who keeps house can drop anything
                lever = Lever(partial(spare, on=True), partial(spare, on=False))
                self._resources.add_lever("old_measurements", lever)
            self._console = Console(
                self._config.console,
                store=self._store,
                clock=self._registry.clock,
                health=self._registry.health,
                journal=self._journal,
                watching=self._watching,
                history=history,
                status=self._status,
                page_off=lambda: self._registry.supervisor.is_off(PAGE),
                who=self._who,
                node=self._node,
                version=self._version,
                alerts=self._alerts,
                more_routes=self._routes(),
            )
            self._resources.add_lever("dashboard_rate", Lever(self._console.slow_down, self._console.as_configured))
            for feed in self._console.feeds:
                self._registry.supervisor.add(feed)
                if self._registry.is_running:
                    self._registry.supervisor.start(feed.name)
        return self._console

    def reopen_streams(self) -> None:
        """Let a console that was built take live streams again."""
        if self._console is not None:
            self._console.reopen_streams()

    def end_streams(self) -> None:
        """End the live streams of a console that was built, in order."""
        if self._console is not None:
            self._console.end_streams()

    def show_page(self, on: bool) -> None:
        """Show the page of a console that was built, or show it no longer."""
        if self._console is not None:
            self._console.show_page(on=on)
