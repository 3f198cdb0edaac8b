"""Which features there are: what each switch moves, and what the config says before anybody does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trading_orchestrator.perpetual_operations.config import OperationsConfig

RECOVERY, HEALTH, MONITOR, DASHBOARD = "recovery", "health_checker", "system_monitor", "dashboard"
PAGE = "live_page"
ALERTS, SIGNS_OF_LIFE, ANALYTICS = "alerts", "dead_mans_switch", "analytics"


def _always(config: OperationsConfig) -> bool:
    return True


@dataclass(frozen=True)
class FeatureRow:
    """One feature. `parts`: the components that run only while it is on.

    is_built: whether the config builds its parts at all; what it leaves out is not there to be switched.
    is_on: what counts until a person switches it.
    """

    name: str
    what: str
    parts: tuple[str, ...]
    is_built: Callable[[OperationsConfig], bool] = _always
    is_on: Callable[[OperationsConfig], bool] = _always


FEATURES: tuple[FeatureRow, ...] = (
    FeatureRow(RECOVERY, "repairs failures by their ladders", (), is_on=lambda config: config.recovery.enabled),
    FeatureRow(
        MONITOR,
        "measures host and process each second; without it no limit is held and no leak is found",
        (MONITOR,),
        is_on=lambda config: config.monitoring.enabled,
    ),
    FeatureRow(
        HEALTH,
        "asks every probe each round; without it nothing is detected, and so nothing repaired",
        (HEALTH,),
        is_on=lambda config: config.health.enabled,
    ),
    FeatureRow(
        DASHBOARD,
        "shows the page and its live updates; the API answers either way",
        (PAGE,),
        is_on=lambda config: config.console.dashboard,
    ),
    FeatureRow(
        "connection_pool_manager",
        "tends and tunes connection pools",
        ("connection_pool_manager",),
        is_on=lambda config: config.pools.enabled,
    ),
    FeatureRow(
        "resource_monitor",
        "holds limits: sheds load in steps, and cleans up",
        ("resource_monitor",),
        is_built=lambda config: config.resources.enabled,
    ),
    FeatureRow(
        "memory_leak_detector",
        "finds what leaks, and hands over before the limit",
        ("memory_leak_detector",),
        is_built=lambda config: config.leaks.enabled,
    ),
    FeatureRow(
        "metrics_history",
        "keeps measurements on disk",
        ("metrics_history",),
        is_built=lambda config: config.history.enabled,
    ),
    FeatureRow(
        ANALYTICS,
        "says what is unusual; on the node with the console",
        (ANALYTICS,),
        is_built=lambda config: config.analytics.enabled,
    ),
    FeatureRow(
        ALERTS,
        "evaluates rules, tells people, and leaves the signs of life that a watchdog looks for",
        (ALERTS, SIGNS_OF_LIFE),
        is_built=lambda config: config.alerts.enabled,
    ),
    FeatureRow(
        SIGNS_OF_LIFE,
        "leaves the signs of life alone: while it is off, a watchdog holds the system to be stopped",
        (SIGNS_OF_LIFE,),
        is_built=lambda config: config.alerts.enabled,
        is_on=lambda config: config.watchdog.signs_of_life,
    ),
)
NAMES = tuple(row.name for row in FEATURES)


def rows_over(part: str) -> tuple[str, ...]:
    """Return the features that all must be on for a part to run."""
    return tuple(row.name for row in FEATURES if part in row.parts)
