"""ConnectionPoolManager: one place for every pool of a program, its bounds, waits, leaks and health."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.circuit_breaker import Circuit, CircuitBreaker, CircuitMoved
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.storage.connection_pool import ConnectionPool, Connector, PoolConfig, PoolStatus

log = logging.getLogger(__name__)
C = TypeVar("C")
TEND_EVERY_S = 5.0
TUNE_EVERY_ROUNDS = 12


class PoolTaken(Refused):
    """A pool of this name is registered already. Facts: name."""

    code = "pool.taken"


class PoolUnknown(Refused):
    """There is no pool of this name. Facts: name."""

    code = "pool.unknown"


@runtime_checkable
class Pooled(Protocol):
    """Something that keeps pools of its own, such as a fact store: each is shown beside those made here."""

    def pools(self) -> Mapping[str, Callable[[], PoolStatus]]: ...


class ConnectionPoolManager:
    """Holds the pools, tends them, tunes them, and drains them at the end. Use from one event loop.

    Args:
        tell: hears of every move of a pool's circuit.
    """

    name = "connection_pool_manager"
    depends_on: Sequence[str] = ()

    def __init__(self, clock: Clock, *, tell: Callable[[CircuitMoved], None] = lambda moved: None) -> None:
        self._clock = clock
        self._tell = tell
        self._pools: dict[str, ConnectionPool[Any]] = {}
        self._adopted: dict[str, Callable[[], PoolStatus]] = {}

    def add(
        self,
        name: str,
        connector: Connector[C],
        config: PoolConfig | None = None,
        *,
        is_harmless: Callable[[BaseException], bool] = lambda error: False,
    ) -> ConnectionPool[C]:
        """Make a pool, and keep it in order from now on.

        Raises:
            PoolTaken: choose another name.
        """
        self._refuse_taken(name)
        config = config or PoolConfig()
        breaker = CircuitBreaker(f"pool/{name}", config.circuit, self._clock, tell=self._tell)
        pool = ConnectionPool(name, connector, config, self._clock, breaker=breaker, is_harmless=is_harmless)
        self._pools[name] = pool
        return pool

    def forget(self, name: str) -> None:
        """Keep a pool no longer that nobody has used yet, or an adopted one; unknown names are ignored."""
        self._pools.pop(name, None)
        self._adopted.pop(name, None)

    def adopt(self, name: str, status: Callable[[], PoolStatus]) -> None:
        """Show a pool that a library keeps itself; it is measured here, and neither tended nor tuned.

        Raises:
            PoolTaken: choose another name.
        """
        self._refuse_taken(name)
        self._adopted[name] = status

    def adopt_all(self, keeper: object) -> None:
        """Show every pool that somebody keeps, if it keeps any.

        Raises:
            PoolTaken: choose another name.
        """
        if isinstance(keeper, Pooled):
            for name, status in keeper.pools().items():
                self.adopt(name, status)

    def pool(self, name: str) -> ConnectionPool[Any]:
        """Return a pool made here.

        Raises:
            PoolUnknown: the sentence names those that are known.
        """
        found = self._pools.get(name)
        if found is None:
            known = ", ".join(self._pools) or "none"
            raise PoolUnknown(f"no pool is named {name!r}; known: {known}", name=name)
        return found

    def statuses(self) -> Sequence[PoolStatus]:
        """Return every pool as it is now."""
        return [*(pool.status() for pool in self._pools.values()), *(status() for status in self._adopted.values())]

    def health_of(self, name: str) -> Health:
        """Return how one pool is, for a probe."""
        status = self.pool(name).status()
        if status.circuit != Circuit.CLOSED.value:
            return Health(HealthState.UNHEALTHY, f"its circuit is {status.circuit}", "dependency.down")
        if status.leaks:
            worst = status.leaks[0]
            return Health(HealthState.DEGRADED, f"{worst.who} has kept a connection for {worst.since_s:.0f} s")
        if status.waiting:
            said = f"{status.waiting} callers wait, {status.in_use} of {status.size} in use"
            return Health(HealthState.DEGRADED, said, "pool.exhausted")
        return Health(HealthState.HEALTHY, f"{status.in_use} of {status.size} in use")

    def health(self) -> Health:
        statuses = self.statuses()
        leaks = sum(len(status.leaks) for status in statuses)
        if leaks:
            return Health(HealthState.DEGRADED, f"{leaks} connections were not given back in time")
        return Health(HealthState.HEALTHY, f"{len(statuses)} pools")

    async def run(self) -> None:
        """Tend and tune until cancelled; pools that an earlier stop drained lend again."""
        rounds = 0
        for pool in self._pools.values():
            pool.reopen()
        while True:
            await self._clock.sleep(TEND_EVERY_S)
            rounds += 1
            for pool in list(self._pools.values()):
                await pool.tend()
                if rounds % TUNE_EVERY_ROUNDS == 0 and (said := pool.tune()):
                    log.info("%s", said)

    async def drain(self, deadline_s: float) -> int:
        """Drain every pool; return how many connections were not given back in time."""
        late = 0
        for pool in self._pools.values():
            late += await pool.drain(deadline_s)
        return late

    def _refuse_taken(self, name: str) -> None:
        if name in self._pools or name in self._adopted:
            raise PoolTaken(f"a pool named {name!r} is registered already: choose another name", name=name)
