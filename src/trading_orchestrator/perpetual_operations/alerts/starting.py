"""Puts alerts together for a process: its plan, its tenure, what it measures, and its ways to people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.ids import new_id
from trading_orchestrator.kernel.metrics import Meter
from trading_orchestrator.perpetual_operations.alerts.board import open_board
from trading_orchestrator.perpetual_operations.alerts.config import AlertsConfig
from trading_orchestrator.perpetual_operations.alerts.dead_mans_switch import DeadMansSwitch
from trading_orchestrator.perpetual_operations.alerts.in_force import plan_now
from trading_orchestrator.perpetual_operations.alerts.lane import Lane
from trading_orchestrator.perpetual_operations.alerts.loading import Plan, load_alerts
from trading_orchestrator.perpetual_operations.alerts.measuring_operations import Measuring
from trading_orchestrator.perpetual_operations.alerts.past import Past, SeriesPast
from trading_orchestrator.perpetual_operations.alerts.progress import progress_of
from trading_orchestrator.perpetual_operations.alerts.rules.rule import Measure
from trading_orchestrator.perpetual_operations.alerts.runtime import AlertsRuntime, Outside
from trading_orchestrator.perpetual_operations.alerts.secret_reference import revealed
from trading_orchestrator.perpetual_operations.alerts.tenure import Tenure
from trading_orchestrator.perpetual_operations.alerts.watching import nothing_is_kept
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_history import MetricsHistory
from trading_orchestrator.perpetual_operations.monitoring.live import NodeNow
from trading_orchestrator.storage.boot_id import read_boot_id
from trading_orchestrator.storage.ports import FactStore
from trading_orchestrator.watchdog.config import WatchdogConfig


def alerts_of(
    read_plan: Callable[[], Plan],
    *,
    store: FactStore,
    clock: Clock,
    node: str,
    boot_id: str,
    is_dead: Callable[[str], bool] | None,
    nodes: Callable[[], Sequence[NodeNow]],
    report: Callable[[], HealthReport],
    last_good: Path | None = None,
    meter: Meter | None = None,
    history: MetricsHistory | None = None,
    in_use: Callable[[Sequence[Lane]], None] = lambda lanes: None,
) -> AlertsRuntime:
    """Return the component, not yet running.

    Args:
        is_dead: whether a node's process is proved gone; None when names of nodes prove nothing, as in a program that
            embeds us several times.
        meter: where alerts and channels are counted; None counts nowhere that is looked at.
        in_use: hears which lanes carry letters now; () when none.
        history: what was measured, so that a start need not wait until the windows of its rules are covered.
        last_good: where the config in force is kept, for a successor that finds a broken one; None keeps none.

    Raises:
        ConfigRefused: the sentence names file, line, key and reason; and there is no last good one.
    """
    plan, refused = plan_now(read_plan, lambda plan: open_board(plan, clock), last_good)
    holder = node if is_dead is not None else f"{node}-{new_id(clock.wall_ns())[-8:]}"
    tenure = Tenure(store, clock, holder=holder, boot_id=boot_id, is_dead=is_dead or _nobody)
    measuring = Measuring(store, clock, nodes=nodes, report=report, boot_id=boot_id)
    outside = Outside(
        read=measuring.read,
        read_plan=read_plan,
        past=nothing_is_kept if history is None else partial(_past, history),
        open_board=lambda plan: open_board(plan, clock, meter),
        depends_on=measuring.depends_on,
        in_use=in_use,
    )
    runtime = AlertsRuntime(
        plan, store=store, clock=clock, tenure=tenure, outside=outside, last_good=last_good, refused=refused
    )
    if meter is not None:
        _count(runtime, meter)
    return runtime


def _count(runtime: AlertsRuntime, meter: Meter) -> None:
    """Only the process that tells of alerts has these; in any other the question fails, and nothing is shown."""
    meter.watch(
        "trading_alerts_known",
        "Alerts known, over or not",
        lambda: len(runtime.manager.state.alerts),
    )
    meter.watch("trading_alerts_outbox", "Messages without a final answer", lambda: len(runtime.manager.state.outbox))


def signs_of_life(
    alerts: AlertsRuntime,
    config: WatchdogConfig,
    *,
    clock: Clock,
    data_dir: Path,
    node: str,
    report: Callable[[], HealthReport],
) -> DeadMansSwitch:
    """Return the component that says, while this process tells of alerts, that the system makes progress.

    Raises:
        SecretRefused: the address of the beat cannot be found.
    """
    url = config.beat_url
    return DeadMansSwitch(
        config,
        clock=clock,
        data_dir=data_dir,
        node=node,
        boot_id=read_boot_id(),
        progress=progress_of(alerts, report),
        beat_url=url if url is None or url.startswith("http") else revealed(url),
    )


def plan_of(config: AlertsConfig, source: str = "app_config") -> Callable[[], Plan]:
    """Return what reads a config that came as a value; a file of its own (`path`) is read anew each time."""
    return lambda: load_alerts(config, source=source)


async def _past(history: MetricsHistory, windows: Mapping[str, Sequence[Measure]], now_ns: int) -> Sequence[SeriesPast]:
    # Here and not above: a process that stands by need not pay for the metric library.
    from trading_orchestrator.perpetual_operations.monitoring.metrics import OF_HOST, OF_NODE

    return await Past(history, host=OF_HOST, node=OF_NODE).of(windows, now_ns)


def _nobody(holder: str) -> bool:
    return False
