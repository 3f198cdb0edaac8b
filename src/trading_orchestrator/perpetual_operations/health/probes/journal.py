"""Is the journal there: it reads, has not gone back, and takes a write in time; else it says what is wrong."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from statistics import median

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.incidents.incident_log import PlaceHeld
from trading_orchestrator.storage.ports import FactStore, FileStore, Head, StorageLocked

LOST, LOCKED, SLOW = "database.lost", "database.locked", "database.slow"
LOCKED_S = 0.5  # the writers of other nodes keep it for a few milliseconds
LOST_S = 3.0  # the TTL of a lease: what takes longer is gone for whoever depends on it
LOOKS = 5


class JournalProbe:
    """Reads the heads and writes once, durably. A look that is late goes on, and the next question is about it:
    a lock is waited for longer than a probe may take, so only who goes on looking learns what it waits for.

    Args:
        write: one real, durable write; None leaves it at reading.
        answer_s: an answer is given within it, ready or not; below the probe's deadline.
        slow_s: a usual write that takes longer is slow; the median of five looks counts.
        tell: hear what was read, so that they need not read the same.
    """

    def __init__(
        self,
        store: FactStore,
        clock: Clock,
        write: Callable[[], Awaitable[None]] | None = None,
        *,
        answer_s: float = 0.8,
        slow_s: float = 0.5,
        tell: Sequence[Callable[[Sequence[Head]], object]] = (),
    ) -> None:
        self._store = store
        self._clock = clock
        self._write = write
        self._answer_s = answer_s
        self._slow_s = slow_s
        self._tell = tuple(tell)
        self._highest_pos = 0
        self._began_ns = 0
        self._look: asyncio.Task[Health] | None = None
        self._took_s: deque[float] = deque(maxlen=LOOKS)

    async def __call__(self) -> Health:
        look = self._look
        if look is None:
            self._began_ns = self._clock.monotonic_ns()
            look = self._look = asyncio.get_running_loop().create_task(self._once(), name="journal probe")
        late = asyncio.ensure_future(self._clock.sleep(max(0.0, self._answer_s - self._age_s())))
        try:
            await asyncio.wait((look, late), return_when=asyncio.FIRST_COMPLETED)
        finally:
            late.cancel()
        if not look.done():
            return self._late()
        self._look = None
        return self._judged(look.result())

    async def _once(self) -> Health:
        try:
            return await self._looked()
        except StorageLocked as error:
            return Health(HealthState.UNHEALTHY, f"it cannot be written: {error.message}", LOCKED)
        except PlaceHeld as error:  # the node before us in this place died a moment ago: the journal itself is well
            return Health(HealthState.STARTING, error.message)
        except OrchestratorError as error:
            return Health(HealthState.UNHEALTHY, f"it cannot be used: {error.message}", LOST)

    async def _looked(self) -> Health:
        heads = await self._store.heads()
        for tell in self._tell:
            tell(heads)
        pos = max((head.pos for head in heads), default=0)
        if pos < self._highest_pos:
            went = f"it went back from pos {self._highest_pos} to {pos}: was a file replaced?"
            return Health(HealthState.UNHEALTHY, went, LOST)
        self._highest_pos = pos
        if self._write is not None:
            began_ns = self._clock.monotonic_ns()
            await self._write()
            self._took_s.append((self._clock.monotonic_ns() - began_ns) / 1e9)
        return Health(HealthState.HEALTHY, f"{len(heads)} streams, pos {pos}")

    def _judged(self, health: Health) -> Health:
        usual_s = median(self._took_s) if len(self._took_s) == LOOKS else 0.0
        if health.state is not HealthState.HEALTHY or usual_s <= self._slow_s:
            return health
        return Health(HealthState.DEGRADED, f"a write takes {usual_s:.2f} s; {health.reason}", SLOW)

    def _late(self) -> Health:
        """Nothing was said yet: whose fault it is shows at the lock and at the time that passed."""
        locked_s = self._store.locked_out_s() if isinstance(self._store, FileStore) else 0.0
        if locked_s >= LOCKED_S:
            said = f"another process has kept it locked for {locked_s:.1f} s"
            return Health(HealthState.UNHEALTHY, said, LOCKED)
        said = f"it has not answered for {self._age_s():.1f} s"
        lost = self._age_s() >= LOST_S
        return Health(HealthState.UNHEALTHY if lost else HealthState.DEGRADED, said, LOST if lost else SLOW)

    def _age_s(self) -> float:
        return (self._clock.monotonic_ns() - self._began_ns) / 1e9
