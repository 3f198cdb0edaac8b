"""What lanes tell of themselves, in the words of a pool: in use and by which query, waiting, waits for a lane."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from itertools import count

import msgspec

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.metrics import LATENCY_S
from trading_orchestrator.storage.connection_pool import Leak, PoolStatus
from trading_orchestrator.storage.wait_times import WaitTimes

LONG_S = 30.0
NAMES_MAX = 64
OTHERS = "others"


class QueryFigures(msgspec.Struct):
    """All runs of the queries of one name; `counts`: by the buckets of LATENCY_S, and above them all."""

    name: str
    counts: list[int]
    total_s: float = 0.0


class LaneFigures:
    """Counts queries. Any thread: one lock, held for about a microsecond."""

    def __init__(self, name: str, size: int, clock: Clock) -> None:
        self.name = name
        self.size = size
        self._clock = clock
        self._lock = threading.Lock()
        self._waits = WaitTimes(clock)
        self._tickets = count(1)
        self._running: dict[int, tuple[str, int]] = {}
        self._queries: dict[str, QueryFigures] = {}
        self._open: dict[int, int] = {}
        self._asked = self._began = 0
        self._opened_total = self._closed_total = 0

    def asked(self) -> int:
        """A query came; return when, for `began`."""
        with self._lock:
            self._asked += 1
        return self._clock.monotonic_ns()

    def began(self, asked_ns: int, query: str) -> int:
        """It has a lane now; return its ticket, for `ended`."""
        now_ns = self._clock.monotonic_ns()
        with self._lock:
            self._began += 1
            ticket = next(self._tickets)
            self._running[ticket] = (query, now_ns)
            self._waits.add((now_ns - asked_ns) / 1e9, len(self._running))
        return ticket

    def ended(self, ticket: int) -> None:
        """It gave its lane back."""
        now_ns = self._clock.monotonic_ns()
        with self._lock:
            name, began_ns = self._running.pop(ticket)
            if name not in self._queries and len(self._queries) >= NAMES_MAX:
                name = OTHERS
            figures = self._queries.setdefault(name, QueryFigures(name, [0] * (len(LATENCY_S) + 1)))
            took_s = (now_ns - began_ns) / 1e9
            figures.counts[bisect_left(LATENCY_S, took_s)] += 1
            figures.total_s += took_s

    def given_up(self) -> None:
        """Whoever asked went away before a lane was free."""
        with self._lock:
            self._asked -= 1

    def opened(self, connection: object) -> None:
        """A connection was opened."""
        with self._lock:
            self._opened_total += 1
            self._open[id(connection)] = self._clock.monotonic_ns()

    def closed(self, connection: object) -> None:
        """A connection was closed."""
        with self._lock:
            self._closed_total += 1
            self._open.pop(id(connection), None)

    def queries(self) -> Sequence[QueryFigures]:
        """Return what every kind of query took so far."""
        with self._lock:
            return [QueryFigures(each.name, list(each.counts), each.total_s) for each in self._queries.values()]

    def pressure(self) -> tuple[float, int, int]:
        """Return p99 of the waits in seconds, how many there were, and the most lanes in use, of the last minutes."""
        with self._lock:
            return self._waits.percentiles()[1], self._waits.count, self._waits.most_in_use

    def status(self) -> PoolStatus:
        """Return the lanes as a pool. A query that runs for longer than 30 s is named as a leak."""
        now_ns = self._clock.monotonic_ns()
        with self._lock:
            in_use = len(self._running)
            p50_s, p99_s = self._waits.percentiles()
            first_ns = min(self._open.values(), default=now_ns)
            running_s = [(name, (now_ns - began_ns) / 1e9) for name, began_ns in self._running.values()]
            return PoolStatus(
                name=self.name,
                size=self.size,
                in_use=in_use,
                idle=max(0, len(self._open) - in_use),
                waiting=self._asked - self._began,
                opened_total=self._opened_total,
                closed_total=self._closed_total,
                used_total=self._began,
                refused_total=0,
                wait_p50_ms=round(p50_s * 1e3, 3),
                wait_p99_ms=round(p99_s * 1e3, 3),
                circuit="closed",
                leaks=tuple(Leak(name, round(for_s, 1)) for name, for_s in running_s if for_s > LONG_S),
                wait_counts=self._waits.counts,
                wait_sum_s=round(self._waits.sum_s, 6),
                oldest_s=round((now_ns - first_ns) / 1e9, 1),
            )


def name_of(query: object) -> str:
    """Return what a query is called in figures: its function's name."""
    while isinstance(query, partial):
        query = query.func
    return str(getattr(query, "__qualname__", type(query).__name__))
