"""What a switch does: the parts that it stops and starts, and what it means beyond them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.supervisor import Supervisor
from trading_orchestrator.perpetual_operations.config import OperationsConfig
from trading_orchestrator.perpetual_operations.feature_table import (
    DASHBOARD,
    FEATURES,
    HEALTH,
    MONITOR,
    RECOVERY,
    FeatureRow,
    rows_over,
)
from trading_orchestrator.perpetual_operations.features import Feature, Features
from trading_orchestrator.perpetual_operations.health.health_checker import HealthChecker
from trading_orchestrator.perpetual_operations.monitoring.system_monitor import SystemMonitor
from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import AutoRecoveryManager
from trading_orchestrator.storage.ports import FactStore


class FeatureEffects:
    """Holds the features of one process, and turns them. Use from one event loop.

    Args:
        runs_now: whether a part of this name runs at present, when nothing keeps it off.
        show_page: shows the page, or shows it no longer.
    """

    def __init__(
        self,
        config: OperationsConfig,
        *,
        store: FactStore,
        clock: Clock,
        supervisor: Supervisor,
        health: HealthChecker,
        monitor: SystemMonitor,
        recovery: AutoRecoveryManager,
        runs_now: Callable[[str], bool],
        show_page: Callable[[bool], None],
    ) -> None:
        self._config = config
        self._supervisor = supervisor
        self._health = health
        self._monitor = monitor
        self._recovery = recovery
        self._runs_now = runs_now
        self._show_page = show_page
        self.features = Features(store, clock, self._as_configured())

    def _as_configured(self) -> Sequence[Feature]:
        """Return one for each part that the config builds; a part that it switches off waits for a person."""
        features = []
        for row in FEATURES:
            if row.is_built(self._config):
                is_on = row.is_on(self._config)
                features.append(Feature(row.name, row.what, is_on, partial(self._turn, row)))
                for part in row.parts if not is_on else ():
                    self._supervisor.keep_off(part, "the config")
                if not is_on:
                    self._turned(row, on=False, because="the config")
        return features

    async def _turn(self, row: FeatureRow, on: bool, because: str) -> None:
        for part in row.parts:
            if not on:
                await self._supervisor.switch_off(part, because)
            elif all(self.features.is_on(name) for name in rows_over(part)):
                self._supervisor.switch_on(part)
                if part in self._supervisor.children and self._runs_now(part):
                    self._supervisor.start(part)
        self._turned(row, on=on, because=because)

    def _turned(self, row: FeatureRow, *, on: bool, because: str) -> None:
        """What a switch means beyond the parts that run."""
        if row.name == RECOVERY:
            self._recovery.switch(on)
        elif row.name == HEALTH and not on:
            self._health.set_aside(because)
        elif row.name == MONITOR and not on:
            self._monitor.forget()
        elif row.name == DASHBOARD:
            self._show_page(on)
