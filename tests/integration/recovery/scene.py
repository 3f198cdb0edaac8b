"""Recovery over a real journal on a virtual clock: the test sets how parts read and what actions do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.health.health_checker import HealthChecker
from trading_orchestrator.perpetual_operations.incidents.incident import Incident
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentLog
from trading_orchestrator.perpetual_operations.incidents.read import incidents_of
from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import AutoRecoveryManager, Failure
from trading_orchestrator.perpetual_operations.recovery.inheritance import Inheritance
from trading_orchestrator.perpetual_operations.recovery.ladder import Ladder, Ladders, Step
from trading_orchestrator.storage.ports import FactStore

OTHERWISE = Ladder(failure="component.down", steps=(Step(action="restart", proof_s=3),), again_s=60)
WELL = Health(HealthState.HEALTHY, "fine")


class Scene:
    """One node: checker, incident log and recovery, stepped together."""

    def __init__(
        self,
        store: FactStore,
        clock: VirtualClock,
        *ladders: Ladder,
        node: str = "a",
        is_gone: Callable[[str], bool] = lambda node: False,
    ) -> None:
        self.clock = clock
        self.store = store
        self.checker = HealthChecker(clock, interval_s=1, deadline_s=0.5)
        self.incidents = IncidentLog(store, clock, node=node, is_gone=is_gone)
        ladders_ = Ladders(ladders, OTHERWISE)
        self.recovery = AutoRecoveryManager(
            clock, self.incidents, ladders_, report=lambda: self.checker.report, has_heirs=True
        )
        self.inheritance = Inheritance(
            self.incidents,
            clock,
            report=lambda: self.checker.report,
            is_gone=is_gone,
            inherit=self.recovery.inherit,
            leave=self.recovery.leave,
        )
        self.readings: dict[str, Health] = {}
        self.done: list[str] = []

    def part(self, name: str, depends_on: Sequence[str] = ()) -> None:
        async def probe() -> Health:
            return self.readings[name]

        self.readings[name] = WELL
        self.checker.add(name, probe, depends_on=depends_on)

    def action(self, name: str, *, repairs: bool = True, fails: bool = False, takes_s: float = 0) -> None:
        async def act(failure: Failure) -> str:
            self.done.append(f"{name} {failure.part}")
            await self.clock.sleep(takes_s)
            if fails:
                raise Transient("could not")
            if repairs:
                self.readings[failure.part] = WELL
            return f"{name} went well"

        self.recovery.add_action(name, act, repairs=name != "wait")

    def breaks(self, name: str, failure: str = "", reason: str = "gone") -> None:
        self.readings[name] = Health(HealthState.UNHEALTHY, reason, failure)

    async def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            await self.clock.advance(0.1)

    async def told(self) -> Sequence[Incident]:
        """Every incident as the journal has it, oldest first."""
        return sorted(await incidents_of(self.store), key=lambda incident: incident.incident_id)


MakeScene = Callable[..., Scene]
