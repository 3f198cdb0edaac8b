"""The alerts of one process, built on first use: kept, shown, and their last word spoken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trading_orchestrator.errors import Transient
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.monitoring.node_watch import NodeWatch
from trading_orchestrator.perpetual_operations.registry import Registry
from trading_orchestrator.storage.ports import FactStore

if TYPE_CHECKING:
    from trading_orchestrator.perpetual_operations.alerts.lane import Lane
    from trading_orchestrator.perpetual_operations.alerts.loading import Plan
    from trading_orchestrator.perpetual_operations.alerts.runtime import AlertsRuntime

SHOWN = 200
LAST_GOOD = "alerts.last-good.json"  # of nodes; a program that embeds us reads its own config


class AlertsOnFirstUse:
    """Builds the alerts once. Use from one event loop.

    Args:
        read_plan: reads the plan, also when it is to be read anew; None takes it from `config` alone.
        is_dead: whether a node's process is proved gone; None when names of nodes prove nothing.
    """

    def __init__(
        self,
        config: OperationsConfig,
        *,
        registry: Registry,
        read_plan: Callable[[], Plan] | None,
        store: FactStore,
        data_dir: Path,
        node: str,
        boot_id: str,
        is_dead: Callable[[str], bool] | None,
        watching: NodeWatch,
    ) -> None:
        self._config = config
        self._registry = registry
        self._read_plan = read_plan
        self._store = store
        self._data_dir = data_dir
        self._node = node
        self._boot_id = boot_id
        self._is_dead = is_dead
        self._watching = watching
        self._runtime: AlertsRuntime | None = None
        self._channels: Sequence[str] = ()
        self._last_word: asyncio.Task[None] | None = None

    def runtime(self) -> AlertsRuntime:
        """Return the alerts.

        Raises:
            ConfigRefused: they cannot be used as configured; the sentence names file, line and key.
        """
        if self._runtime is None:
            from trading_orchestrator.perpetual_operations.alerts.starting import alerts_of, plan_of, signs_of_life

            self._runtime = alerts_of(
                self._read_plan or plan_of(self._config.alerts),
                store=self._store,
                clock=self._registry.clock,
                node=self._node,
                boot_id=self._boot_id,
                is_dead=self._is_dead,
                nodes=self._watching.nodes_now,
                report=lambda: self._registry.report,
                last_good=self._data_dir / LAST_GOOD if self._is_dead is not None else None,
                meter=self._watching.meter,
                history=self._watching.history if self._config.history.enabled else None,
                in_use=self._keep_channels,
            )
            self._registry.register(self._runtime, for_readiness=False)
            self._registry.register(
                signs_of_life(
                    self._runtime,
                    self._config.watchdog,
                    clock=self._registry.clock,
                    data_dir=self._data_dir,
                    node=self._node,
                    report=lambda: self._registry.report,
                ),
                for_readiness=False,
            )
        return self._runtime

    def shown(self) -> Sequence[Mapping[str, object]]:
        """Return what the page shows: nothing when another process tells of alerts; the part's health says so."""
        if not self._config.alerts.enabled:
            return ()
        from trading_orchestrator.perpetual_operations.alerts.standing import shown_alerts

        try:
            return shown_alerts(self.runtime().manager, SHOWN)
        except Transient:
            return ()

    def begin_last_word(self, look: Callable[[], Awaitable[None]]) -> None:
        """When this process must not run any more: let alerts that were built speak until `look` does not raise."""
        if self._runtime is not None:
            self._last_word = asyncio.create_task(self._runtime.speak_last(look), name="last word of alerts")

    async def end_last_word(self) -> None:
        """Let who speaks last fall silent, and return when it has."""
        task, self._last_word = self._last_word, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _keep_channels(self, lanes: Sequence[Lane]) -> None:
        """Channels are shown as pools and circuits while their lanes carry letters; their health is that of alerts."""
        for name in self._channels:
            self._registry.circuits.forget(name)
            self._registry.pools.forget(name)
        self._channels = [lane.breaker.name for lane in lanes]
        for lane in lanes:
            self._registry.circuits.adopt(lane.breaker, part="alerts")
            self._registry.pools.adopt(lane.breaker.name, lane.uses)
