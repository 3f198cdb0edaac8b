"""ConnectionPoolManager: one place for every pool of a program, its bounds, waits, leaks and health."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import msgspec

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.circuit_breaker import Circuit, CircuitBreaker, CircuitConfig
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


class PoolFixed(Refused):
    """This pool is kept by somebody else, who offers no such thing. Facts: name."""

    code = "pool.fixed"


class Measured(Protocol):
    """A pool that somebody else keeps: a store's lanes, a client's connections, a channel's workers."""

    def status(self) -> PoolStatus:
        """Return how the pool is, at once."""
        ...


@runtime_checkable
class Tended(Protocol):
    """One that wants to be looked after every few seconds."""

    async def tend(self) -> None: ...


@runtime_checkable
class Tuned(Protocol):
    """One that can move its size within its own limits."""

    def tune(self) -> str:
        """Return what was done, "" for nothing."""
        ...


class Timed(Protocol):
    """What the queries of one name took so far: `counts` by the buckets of `kernel.metrics.LATENCY_S`."""

    @property
    def name(self) -> str: ...

    @property
    def counts(self) -> Sequence[int]: ...

    @property
    def total_s(self) -> float: ...


@runtime_checkable
class Asked(Protocol):
    """A pool that times what is asked through it, by the name of the query."""

    def queries(self) -> Sequence[Timed]: ...


@runtime_checkable
class Pooled(Protocol):
    """Something that keeps pools of its own, such as a fact store: each is shown beside those made here."""

    def pools(self) -> Mapping[str, Measured]: ...


class Circuits(Protocol):
    """Where breakers are kept: `recovery.circuits.Circuits` of a program has it."""

    def add(self, name: str, config: CircuitConfig | None = None) -> CircuitBreaker: ...

    def forget(self, name: str) -> None: ...


def pools_of(keeper: object) -> Mapping[str, Measured]:
    """Return the pools that somebody keeps by their names; none when it keeps none."""
    return keeper.pools() if isinstance(keeper, Pooled) else {}


class ConnectionPoolManager:
    """Holds the pools, tends them, tunes them, and drains those made here at the end. Use from one event loop.

    What is adopted is shown, tended and tuned as far as it offers that; only its owner closes it.

    Args:
        circuits: keeps the breakers of the pools made here; None keeps each with its pool alone.
    """

    name = "connection_pool_manager"
    depends_on: Sequence[str] = ()

    def __init__(self, clock: Clock, circuits: Circuits | None = None) -> None:
        self._clock = clock
        self._circuits = circuits
        self._pools: dict[str, Measured] = {}

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
            PoolTaken, CircuitTaken: choose another name.
        """
        self._refuse_taken(name)
        config = config or PoolConfig()
        breaker = self._circuits.add(f"pool/{name}", config.circuit) if self._circuits is not None else None
        pool = ConnectionPool(name, connector, config, self._clock, breaker=breaker, is_harmless=is_harmless)
        self._pools[name] = pool
        return pool

    def adopt(self, name: str, pool: Measured) -> None:
        """Show a pool that somebody else keeps.

        Raises:
            PoolTaken: choose another name.
        """
        self._refuse_taken(name)
        self._pools[name] = pool

    def forget(self, name: str) -> None:
        """Keep a pool no longer that nobody has used yet, or an adopted one; unknown names are ignored."""
        pool = self._pools.pop(name, None)
        if isinstance(pool, ConnectionPool) and self._circuits is not None:
            self._circuits.forget(f"pool/{name}")

    def pool(self, name: str) -> ConnectionPool[Any]:
        """Return a pool made here.

        Raises:
            PoolUnknown: the sentence names those that are known.
            PoolFixed: somebody else keeps it.
        """
        found = self._found(name)
        if not isinstance(found, ConnectionPool):
            raise PoolFixed(f"pool {name} is not ours to change: its owner opens and closes its connections", name=name)
        return found

    def tune(self, name: str) -> str:
        """Move a pool's size by its waits, and return what was done, "" for nothing.

        Raises:
            PoolUnknown: the sentence names those that are known.
            PoolFixed: its size is not to be moved.
        """
        found = self._found(name)
        if not isinstance(found, Tuned):
            raise PoolFixed(f"pool {name} has the size that its owner's config says", name=name)
        return found.tune()

    def statuses(self) -> Sequence[PoolStatus]:
        """Return every pool as it is now, under the name that it has here."""
        return [_named(name, pool.status()) for name, pool in self._pools.items()]

    def queries(self) -> Sequence[tuple[str, Timed]]:
        """Return what every kind of query took, with the name of its pool, where a pool tells."""
        asked = ((name, pool) for name, pool in self._pools.items() if isinstance(pool, Asked))
        return [(name, timed) for name, pool in asked for timed in pool.queries()]

    def health_of(self, name: str) -> Health:
        """Return how one pool is, for a probe.

        Raises:
            PoolUnknown: the sentence names those that are known.
        """
        pool = self._found(name)
        is_ours = isinstance(pool, ConnectionPool)
        return _health(pool.status(), waiting_max=0 if is_ours else None)

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
            if isinstance(pool, ConnectionPool):
                pool.reopen()
        while True:
            await self._clock.sleep(TEND_EVERY_S)
            rounds += 1
            for pool in list(self._pools.values()):
                if isinstance(pool, Tended):
                    await pool.tend()
                if rounds % TUNE_EVERY_ROUNDS == 0 and isinstance(pool, Tuned) and (said := pool.tune()):
                    log.info("%s", said)

    async def drain(self, deadline_s: float) -> int:
        """Drain every pool made here; return how many connections were not given back in time."""
        late = 0
        for pool in self._pools.values():
            if isinstance(pool, ConnectionPool):
                late += await pool.drain(deadline_s)
        return late

    def _found(self, name: str) -> Measured:
        found = self._pools.get(name)
        if found is None:
            known = ", ".join(self._pools) or "none"
            raise PoolUnknown(f"no pool is named {name!r}; known: {known}", name=name)
        return found

    def _refuse_taken(self, name: str) -> None:
        if name in self._pools:
            raise PoolTaken(f"a pool named {name!r} is registered already: choose another name", name=name)


def _named(name: str, status: PoolStatus) -> PoolStatus:
    return status if status.name == name else msgspec.structs.replace(status, name=name)


def _health(status: PoolStatus, *, waiting_max: int | None) -> Health:
    """Args: waiting_max: callers that may wait; None takes the pool's size, for work that may well queue for a turn."""
    if status.circuit != Circuit.CLOSED.value:
        return Health(HealthState.UNHEALTHY, f"its circuit is {status.circuit}", "dependency.down")
    if status.leaks:
        worst = status.leaks[0]
        return Health(HealthState.DEGRADED, f"{worst.who} has kept a connection for {worst.since_s:.0f} s")
    if status.waiting > (status.size if waiting_max is None else waiting_max):
        said = f"{status.waiting} callers wait, {status.in_use} of {status.size} in use"
        return Health(HealthState.DEGRADED, said, "pool.exhausted")
    return Health(HealthState.HEALTHY, f"{status.in_use} of {status.size} in use")
