"""Settings of the operations wing. TOML: `[perpetual_operations]` and its tables."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.monitoring.analytics.config import AnalyticsConfig
from trading_orchestrator.perpetual_operations.monitoring.config import HistoryConfig, MonitoringConfig
from trading_orchestrator.perpetual_operations.monitoring.leaks.config import LeaksConfig
from trading_orchestrator.perpetual_operations.monitoring.resources.config import ResourcesConfig
from trading_orchestrator.perpetual_operations.recovery.config import RecoveryConfig
from trading_orchestrator.watchdog.config import WatchdogConfig


class HealthConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How health is asked for. TOML: `[perpetual_operations.health]`.

    enabled: off, nobody is asked and nothing is detected, until `features on health_checker`.
    interval_s: between two rounds of probes; failures show within it plus a deadline.
    deadline_s: for a probe that names none; a journal that needs longer to be read is not well.
    journal_slow_s: a usual write of the journal that takes longer is slow; a lease must be renewed every second.
    loop_lag_degraded_s: a loop this late is felt; below it, a busy host is enough of an explanation.
    loop_lag_unhealthy_s: a loop this late misses lease renewals.
    fall_rounds: rounds in a row that a part must read worse before it counts as worse; one hiccup is none.
    rise_rounds: rounds in a row that it must read better before it counts as better; more than `fall_rounds`, because
        what has just failed fails again more easily.
    """

    enabled: bool = True
    interval_s: Annotated[float, Meta(ge=0.1, le=300)] = 1.0
    deadline_s: Annotated[float, Meta(gt=0, le=60)] = 1.0
    journal_slow_s: Annotated[float, Meta(gt=0)] = 0.5
    loop_lag_degraded_s: Annotated[float, Meta(gt=0)] = 0.25
    loop_lag_unhealthy_s: Annotated[float, Meta(gt=0)] = 1.0
    fall_rounds: Annotated[int, Meta(ge=1, le=100)] = 2
    rise_rounds: Annotated[int, Meta(ge=1, le=100)] = 3


class ConsoleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How API and dashboard answer. TOML: `[perpetual_operations.console]`.

    dashboard: off, the API answers and the page does not, until `features on dashboard`.
    path_prefix: where the routes are mounted in somebody else's app, e.g. "/ops"; "" is the root.
    allowed_hosts: names with a dot that the console may be opened by, such as "ops.example.com". Addresses and names
        without a dot always may, /livez, /readyz and /metrics by any name; the rest is refused (DNS rebinding).
    refresh_s: the shortest time between two updates of the page; four a second is as fast as an eye reads.
    max_streams: live streams at once; each costs a socket and a few kB.
    keep_alive_s: how long an idle connection is kept.
    """

    dashboard: bool = True
    path_prefix: Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9._~-]+)*$")] = ""
    allowed_hosts: tuple[str, ...] = ()
    refresh_s: Annotated[float, Meta(ge=0.05, le=10)] = 0.25
    max_streams: Annotated[int, Meta(ge=1)] = 500
    keep_alive_s: Annotated[int, Meta(ge=1)] = 5


class PoolsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whether pools are looked after. TOML: `[perpetual_operations.pools]`.

    enabled: off, pools lend and are shown, and nobody tends or tunes them, until `features on connection_pool_manager`.
    """

    enabled: bool = True


class OperationsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole wing. TOML: `[perpetual_operations]`.

    data_dir: where the journal lives; None takes the program's own `data_dir`, and `data` when it has none.
    """

    data_dir: str | None = None
    monitoring: MonitoringConfig = MonitoringConfig()
    history: HistoryConfig = HistoryConfig()
    analytics: AnalyticsConfig = AnalyticsConfig()
    resources: ResourcesConfig = ResourcesConfig()
    leaks: LeaksConfig = LeaksConfig()
    health: HealthConfig = HealthConfig()
    recovery: RecoveryConfig = RecoveryConfig()
    pools: PoolsConfig = PoolsConfig()
    console: ConsoleConfig = ConsoleConfig()
    watchdog: WatchdogConfig = WatchdogConfig()
    alerts: AlertsConfig = AlertsConfig()
