"""What uses of a bounded thing tell in the words of a pool: a client's requests, worker processes.

The library beneath keeps its sockets to itself; what can be known from outside is who is at it, since when, and how
long each waited for its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.storage.connection_pool import Leak, PoolStatus
from trading_orchestrator.storage.wait_times import WaitTimes


class UseFigures:
    """Use from one event loop; a pool that a ConnectionPoolManager may adopt.

    Args:
        size: how many may be at it at once.
        long_s: whoever is at it for longer is named.
        circuit: the state of the breaker before it.
    """

    def __init__(
        self, name: str, size: int, clock: Clock, *, long_s: float, circuit: Callable[[], str] = lambda: "closed"
    ) -> None:
        self.name = name
        self._size = size
        self._clock = clock
        self._long_s = long_s
        self._circuit = circuit
        self._waits = WaitTimes(clock)
        self._tickets = count(1)
        self._at_it: dict[int, tuple[str, int]] = {}
        self._waiting = 0
        self._used_total = self._refused_total = 0

    @contextmanager
    def waits(self) -> Iterator[None]:
        """Count whoever is in the block as waiting for a turn; leaving it by an error is a turn that never came."""
        began_ns = self._clock.monotonic_ns()
        self._waiting += 1
        try:
            yield
        except BaseException:
            self._refused_total += 1
            raise
        finally:
            self._waiting -= 1
        self._waits.add((self._clock.monotonic_ns() - began_ns) / 1e9, len(self._at_it) + 1)

    @contextmanager
    def at_it(self, who: str) -> Iterator[None]:
        """Count whoever is in the block as in use."""
        ticket = next(self._tickets)
        self._at_it[ticket] = (who, self._clock.monotonic_ns())
        self._used_total += 1
        try:
            yield
        finally:
            del self._at_it[ticket]

    def status(self) -> PoolStatus:
        """Return the uses as a pool."""
        now_ns = self._clock.monotonic_ns()
        p50_s, p99_s = self._waits.percentiles()
        kept = [(who, (now_ns - since_ns) / 1e9) for who, since_ns in self._at_it.values()]
        return PoolStatus(
            name=self.name,
            size=self._size,
            in_use=len(self._at_it),
            idle=0,
            waiting=self._waiting,
            opened_total=0,
            closed_total=0,
            used_total=self._used_total,
            refused_total=self._refused_total,
            wait_p50_ms=round(p50_s * 1e3, 3),
            wait_p99_ms=round(p99_s * 1e3, 3),
            circuit=self._circuit(),
            leaks=tuple(Leak(who, round(for_s, 1)) for who, for_s in kept if for_s > self._long_s),
            wait_counts=self._waits.counts,
            wait_sum_s=round(self._waits.sum_s, 6),
        )
