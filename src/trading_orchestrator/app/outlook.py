"""How much more fits on a host and what runs out first, read from the files of a running system."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from trading_orchestrator.app.settings import DEFAULT_CONFIG, read_settings
from trading_orchestrator.errors import Refused
from trading_orchestrator.journal.deaths import list_incarnations
from trading_orchestrator.keeper.node_spec import incarnations_dir
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.monitoring.analytics.analyst import Exhaustion
from trading_orchestrator.perpetual_operations.monitoring.analytics.capacity import Capacity, capacity
from trading_orchestrator.perpetual_operations.monitoring.analytics.from_history import HistoryMinutes
from trading_orchestrator.perpetual_operations.monitoring.analytics.limits import limits_of
from trading_orchestrator.perpetual_operations.monitoring.history.reader import HistoryReader
from trading_orchestrator.perpetual_operations.monitoring.live import FOLDER, read_live
from trading_orchestrator.perpetual_operations.monitoring.node_watch import METRICS_FILE

DAY_S = 86_400


class NothingRuns(Refused):
    """No node lives on this data directory, so nothing is measured. Facts: data_dir."""

    code = "capacity.nothing_runs"


class Outlook(msgspec.Struct, frozen=True):
    """Room on this host, and what its trends use up."""

    capacity: Capacity
    forecasts: tuple[Exhaustion, ...]


def outlook(config: Path | None, data_dir: Path, clock: Clock) -> Outlook:
    """Return the outlook.

    Raises:
        NothingRuns: start the system. HistoryUnavailable, NotAHistory, ConfigRefused: the sentence says what to do.
    """
    alive = {found.words.node for found in list_incarnations(incarnations_dir(data_dir)) if found.alive}
    nodes = read_live(data_dir / FOLDER, now_boot_ns=clock.boot_ns(), is_alive=alive.__contains__)
    if not nodes:
        said = f"nothing runs on {data_dir}: capacity is measured, so start it with: trading-orchestrator run"
        raise NothingRuns(said, data_dir=str(data_dir))
    is_practice = config is None and not DEFAULT_CONFIG.exists()
    operations = read_settings(config, data_dir=data_dir, practice=is_practice).settings.perpetual_operations
    reader = HistoryReader(Path(operations.history.path or data_dir / METRICS_FILE))
    try:
        minutes = HistoryMinutes(reader, clock.wall_ns())
        soon = minutes.exhaustions(
            limits_of(operations.resources, operations.resources.memory_limit_bytes(is_node=True), nodes),
            trend_minutes=operations.analytics.trend_minutes,
            horizon_s=operations.analytics.horizon_days * DAY_S,
        )
        return Outlook(capacity(nodes, minutes.of, cores=os.cpu_count() or 1), tuple(soon))
    finally:
        reader.close()
