"""NodeWatch: every node measures itself, whether or not it serves the console: samples, metrics, history, live file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Component
from trading_orchestrator.kernel.metrics import Meter
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport
from trading_orchestrator.perpetual_operations.monitoring.config import HistoryConfig, MonitoringConfig
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_history import MetricsHistory
from trading_orchestrator.perpetual_operations.monitoring.history.of_sample import MetricTicks, values_of
from trading_orchestrator.perpetual_operations.monitoring.live import FOLDER, LiveFile, NodeNow, read_live
from trading_orchestrator.perpetual_operations.monitoring.loop_lag import LoopLag
from trading_orchestrator.perpetual_operations.monitoring.sample import Sample
from trading_orchestrator.perpetual_operations.monitoring.system_monitor import SystemMonitor

log = logging.getLogger(__name__)
METRICS_FILE = "metrics.db"


class NodeWatch:
    """The measuring parts of one process. They import neither numpy nor a web stack: 3 ms of CPU a second at most.

    Args:
        is_alive: whether a node's process lives; a dead one's file is not read.
        shares: write the live file, because another process of this host answers /metrics.
        report: returns the newest health report of this node, for that file.
    """

    def __init__(
        self,
        monitoring: MonitoringConfig,
        history: HistoryConfig,
        *,
        clock: Clock,
        data_dir: Path,
        node: str,
        is_alive: Callable[[str], bool] = lambda node: True,
        shares: bool = False,
        report: Callable[[], HealthReport | None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._node = node
        self._is_alive = is_alive
        self._report = report
        self._keeps_history = history.enabled
        self._folder = data_dir / FOLDER
        self._live = LiveFile(self._folder / node) if shares else None
        self._live_trouble = ""
        self._ticks = MetricTicks()
        self._followers: list[Callable[[Sample], None]] = []
        self._guards: tuple[Component, ...] = ()
        self.meter = Meter()
        self.loop_lag = LoopLag(clock, every_s=monitoring.loop_lag_every_s)
        self.history = MetricsHistory(
            history, clock=clock, path=Path(history.path or data_dir / METRICS_FILE), node=node
        )
        self.monitor = SystemMonitor(
            monitoring,
            clock=clock,
            data_dir=data_dir,
            take_loop_lag_s=self.loop_lag.take_peak_s,
            tell=self._tell,
            publish=self._publish,
        )

    @property
    def parts(self) -> Sequence[Component]:
        """Return what must run: the history first, so that it ends last and the last sample is written too."""
        kept = (self.history,) if self._keeps_history else ()
        return (*kept, self.loop_lag, self.monitor, *self._guards)

    def guard(self, *parts: Component) -> None:
        """Run these wherever the node is measured: they act on what is seen."""
        self._guards += parts

    def follow(self, told: Callable[[Sample], None]) -> None:
        """Have `told` called on the loop with each sample; it must not block."""
        self._followers.append(told)

    def nodes_now(self) -> Sequence[NodeNow]:
        """Return every living node of this host as it measured itself last; this one is never missing. Blocking."""
        sample = self.monitor.latest
        own = [self._now(sample)] if sample is not None else []
        return [*own, *self._others_now()]

    def reports_elsewhere(self) -> Sequence[HealthReport]:
        """Return how the other living nodes of this host found themselves last. Blocking."""
        return [now.health for now in self._others_now() if now.health is not None]

    def close(self) -> None:
        """Remove the live file; call when the parts have stopped."""
        if self._live is not None:
            self._live.close()

    def _others_now(self) -> Sequence[NodeNow]:
        found = read_live(self._folder, now_boot_ns=self._clock.boot_ns(), is_alive=self._is_alive)
        return [now for now in found if now.node != self._node]

    def _now(self, sample: Sample) -> NodeNow:
        return NodeNow(self._node, self._clock.boot_ns(), sample, tuple(self.meter.read()), self._report())

    def _tell(self, sample: Sample) -> None:
        if self._keeps_history:
            self.history.record(sample.at_ns, values_of(sample))
            self.history.record(sample.at_ns, self._ticks.values_of(self.meter.read()))
        for told in self._followers:
            told(sample)

    def _publish(self, sample: Sample) -> None:
        if self._live is None:
            return
        try:
            self._live.write(self._now(sample))
            self._live_trouble = ""
        except OSError as error:  # a full disk must not end the measuring; said once
            if not self._live_trouble:
                log.warning("%s cannot be written: %s", self._folder, error.strerror)
            self._live_trouble = str(error.strerror)
