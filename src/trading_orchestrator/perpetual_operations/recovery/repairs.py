"""Everything that repairs in one process, put together: incidents, circuits, pools, ladders and their actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Component
from trading_orchestrator.kernel.metrics import Meter
from trading_orchestrator.kernel.supervisor import CRASH_LOOP, Ended, Supervisor
from trading_orchestrator.perpetual_operations.health.health_checker import HealthChecker, HealthReport
from trading_orchestrator.perpetual_operations.incidents import facts as f
from trading_orchestrator.perpetual_operations.incidents.dead_nodes import lives_no_more
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentLog
from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import AutoRecoveryManager
from trading_orchestrator.perpetual_operations.recovery.circuits import Circuits
from trading_orchestrator.perpetual_operations.recovery.config import RecoveryConfig
from trading_orchestrator.perpetual_operations.recovery.default_actions import DefaultActions
from trading_orchestrator.perpetual_operations.recovery.default_ladders import DEFAULT_LADDERS, OTHERWISE
from trading_orchestrator.perpetual_operations.recovery.inheritance import Inheritance
from trading_orchestrator.perpetual_operations.recovery.ladder import Ladders
from trading_orchestrator.storage.connection_pool_manager import ConnectionPoolManager
from trading_orchestrator.storage.ports import FactStore

FINDERS = (HealthChecker.name, AutoRecoveryManager.name)


class Repairs:
    """The repairing parts of one process; its manager runs `parts`.

    Args:
        is_alive: whether the process of a node lives; None when there are no other nodes.
    """

    def __init__(
        self,
        config: RecoveryConfig,
        *,
        store: FactStore,
        clock: Clock,
        node: str,
        supervisor: Supervisor,
        report: Callable[[], HealthReport],
        is_gone: Callable[[str], bool] = lambda node: False,
        is_alive: Callable[[str], bool] | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._clock = clock
        self.incidents = IncidentLog(store, clock, node=node, is_gone=is_gone)
        self.circuits = Circuits(clock, self.incidents, meter)
        self.pools = ConnectionPoolManager(clock, self.circuits)
        ladders = Ladders((*DEFAULT_LADDERS, *config.ladders), OTHERWISE)
        self.recovery = AutoRecoveryManager(
            clock,
            self.incidents,
            ladders,
            report=report,
            enabled=config.enabled,
            has_heirs=is_alive is not None,
        )
        self._heirs: list[Component] = []
        if is_alive is not None:
            gone = partial(lives_no_more, is_alive)
            heir = Inheritance(
                self.incidents,
                clock,
                report=report,
                is_gone=gone,
                inherit=self.recovery.inherit,
                leave=self.recovery.leave,
            )
            self._heirs = [heir]
        self.actions = DefaultActions(supervisor, self.pools, store)
        self.actions.register(self.recovery)

    @property
    def parts(self) -> Sequence[Component]:
        return (self.incidents, self.pools, self.recovery, *self._heirs)

    def check(self) -> None:
        """Refuse ladders that could not be climbed.

        Raises:
            LadderRefused: the sentence names ladder, rung and the nearest known action.
        """
        self.recovery.ladders.check(self.recovery.actions)

    def ended(self, ended: Ended) -> None:
        """Journal that a component ended unasked, and add it to the story of its incident."""
        self.incidents.record(
            f.ComponentEnded(
                at_ns=self._clock.wall_ns(),
                component=ended.component,
                reason=ended.reason,
                wait_s=ended.wait_s,
                ends_in_row=ended.ends_in_row,
                over_budget=ended.over_budget,
            )
        )
        self.incidents.note(ended.component, f"{ended.component} {ended.reason}; started anew in {ended.wait_s:g} s")
        if ended.over_budget and ended.component in FINDERS and ended.component not in self.incidents.open:
            self._tell_without_finders(ended)

    def _tell_without_finders(self, ended: Ended) -> None:
        """Who finds and repairs failures cannot find its own: a person hears at once; its next round is the proof."""
        about = {"incident_id": self.incidents.new_id(), "at_ns": self._clock.wall_ns(), "part": ended.component}
        self.incidents.say(f.Opened(**about, failure=CRASH_LOOP, reason=ended.reason, last_well_ns=0))  # type: ignore[arg-type]
        self.incidents.say(f.Exhausted(**about, failure=CRASH_LOOP, again_in_s=0.0))  # type: ignore[arg-type]
