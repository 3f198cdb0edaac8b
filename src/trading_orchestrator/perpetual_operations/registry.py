"""The registry: what is handed over to be kept running, asked and shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.circuit_breaker import CircuitBreaker, CircuitConfig
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Component, Health, HealthState
from trading_orchestrator.kernel.supervisor import Child, RestartRule, Supervisor
from trading_orchestrator.perpetual_operations.health.health_checker import (
    AtOnce,
    HealthChecker,
    HealthReport,
    Kind,
    Probe,
)
from trading_orchestrator.perpetual_operations.health.probes.progress import progress_probe
from trading_orchestrator.perpetual_operations.recovery.circuits import Circuits
from trading_orchestrator.storage.connection_pool import ConnectionPool, Connector, PoolConfig
from trading_orchestrator.storage.connection_pool_manager import ConnectionPoolManager, Measured

C = TypeVar("C")


class Registry:
    """Takes parts and probes in; its owner starts and stops them. Use from one event loop.

    A registration that is refused leaves nothing. What comes while the parts run is started at once, and what it
    depends on must be there; before, that may come later.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        supervisor: Supervisor,
        health: HealthChecker,
        circuits: Circuits,
        pools: ConnectionPoolManager,
    ) -> None:
        self.clock = clock
        self.supervisor = supervisor
        self.health = health
        self.circuits = circuits
        self.pools = pools
        self._started_at_ns: int | None = None  # its owner's word

    @property
    def is_running(self) -> bool:
        """Return whether the parts were started and not stopped since."""
        return self._started_at_ns is not None

    @property
    def report(self) -> HealthReport:
        """Return the newest health report."""
        return self.health.report

    def register(
        self, component: Component, rule: RestartRule | None = None, *, for_readiness: bool | None = None
    ) -> None:
        """Keep one more component running, and watch its health under its name. Started now if we run already.

        Args:
            rule: how it is started anew when it ends; None takes the defaults of RestartRule.
            for_readiness: as in `add_probe`.

        Raises:
            ComponentTaken, ProbeTaken: choose another name.
            DependencyUnknown, DependencyCircle: only when we run already; before, `start` says so.
        """
        part = self.supervisor.add(component, rule)
        try:
            probe = AtOnce(lambda: word_of(part, is_running=self.is_running))
            self.add_probe(component.name, probe, depends_on=component.depends_on, for_readiness=for_readiness)
        except Refused:
            del self.supervisor.children[component.name]
            raise
        if self.is_running:
            self.supervisor.start(component.name)

    def add_probe(
        self,
        name: str,
        probe: Probe,
        *,
        deadline_s: float | None = None,
        depends_on: Sequence[str] = (),
        kind: Kind = Kind.READINESS,
        for_readiness: bool | None = None,
        is_proof: bool = False,
    ) -> None:
        """Ask `probe` each round; the names it depends on are those of probes and components.

        Args:
            is_proof: one reading of it is enough either way, because it tells what is proved and cannot flap.
            kind: of LIVENESS, /livez is 503 while it is unhealthy.
            for_readiness: whether /readyz is 503 while it is down; None: all but probes of progress.

        Raises:
            ProbeTaken: choose another name.
            DependencyUnknown, DependencyCircle: only when we run already; before, `start` says so.
        """
        self.health.add(
            name,
            probe,
            deadline_s=deadline_s,
            depends_on=depends_on,
            kind=kind,
            for_readiness=for_readiness,
            is_proof=is_proof,
        )
        if self.is_running:
            try:
                self.health.check_graph()
            except Refused:
                self.health.remove(name)
                raise

    def add_progress(
        self,
        name: str,
        done: Callable[[], float],
        arrived: Callable[[], float],
        *,
        within_s: float = 30.0,
        depends_on: Sequence[str] = (),
    ) -> None:
        """Watch as `progress/NAME` that what arrives gets done; a component of this name is restarted when it does not.

        Args:
            done, arrived: counters since the start; reading them must not block.
            within_s: without one thing done for so long after the first that arrived, it counts as stuck.

        Raises: as `add_probe`.
        """
        probe = progress_probe(done, arrived, within_s=within_s, clock=self.clock)
        self.add_probe(f"progress/{name}", probe, depends_on=depends_on, kind=Kind.PROGRESS)

    def add_pool(
        self,
        name: str,
        connector: Connector[C],
        config: PoolConfig | None = None,
        *,
        is_harmless: Callable[[BaseException], bool] = lambda error: False,
        depends_on: Sequence[str] = (),
    ) -> ConnectionPool[C]:
        """Make a pool that is tended, tuned and drained with the rest, and watched as `pool/NAME`.

        Raises:
            PoolTaken, ProbeTaken: choose another name; nothing was made.
            DependencyUnknown, DependencyCircle: only when we run already; before, `start` says so. Nothing was made.
        """
        pool = self.pools.add(name, connector, config, is_harmless=is_harmless)
        try:
            self.add_probe(f"pool/{name}", AtOnce(lambda: self.pools.health_of(name)), depends_on=depends_on)
        except Refused:
            self.pools.forget(name)
            raise
        return pool

    def adopt_pool(self, name: str, pool: Measured, *, depends_on: Sequence[str] = ()) -> None:
        """Show a pool that somebody else keeps beside ours, and watch it as `pool/NAME`.

        It is tended and tuned when it offers `tend` and `tune`; `release_pool` ends that.

        Raises: as `add_pool`.
        """
        self.pools.adopt(name, pool)
        probe = AtOnce(lambda: self.pools.health_of(name))
        try:
            self.add_probe(f"pool/{name}", probe, depends_on=depends_on, for_readiness=False)
        except Refused:
            self.pools.forget(name)
            raise

    def release_pool(self, name: str) -> None:
        """Show an adopted pool no longer; unknown names are ignored."""
        self.pools.forget(name)
        self.health.remove(f"pool/{name}")

    def add_dependency(
        self,
        name: str,
        probe: Probe,
        config: CircuitConfig | None = None,
        *,
        deadline_s: float | None = None,
        depends_on: Sequence[str] = (),
        for_readiness: bool | None = None,
    ) -> CircuitBreaker:
        """Watch something outside as `dependency/NAME`, and return the circuit that calls to it should go through.

        Args:
            for_readiness: as in `add_probe`; False when this program still has answers without it.

        Raises:
            ProbeTaken, CircuitTaken: choose another name; nothing was made.
            DependencyUnknown, DependencyCircle: only when we run already; before, `start` says so. Nothing was made.
        """
        part = f"dependency/{name}"
        circuit = self.circuits.add(part, config)
        try:
            self.add_probe(part, probe, deadline_s=deadline_s, depends_on=depends_on, for_readiness=for_readiness)
        except Refused:
            self.circuits.forget(part)
            raise
        return circuit


def word_of(part: Child, *, is_running: bool) -> Health:
    """Return the part's health. That another node runs it now is no failure of one that only watches itself."""
    if not (part.wanted or is_running):
        return Health(HealthState.HEALTHY, "not run here at present", elsewhere=True)
    return part.health()
