"""Lanes: connections that reads and checkpoints run on, each used by one thread at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

import apsw

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.storage.connection_pool import PoolStatus
from trading_orchestrator.storage.sqlite.committer import StoreClosed
from trading_orchestrator.storage.sqlite.failures import explain
from trading_orchestrator.storage.sqlite.lane_figures import LaneFigures, QueryFigures, name_of

LONG_WAIT_S = 0.010
ENOUGH_WAITS = 100
T = TypeVar("T")
Query = Callable[[apsw.Connection], T]


class Lanes(Protocol):
    """A bounded number of connections."""

    async def run(self, query: Query[T]) -> T:
        """Return the query's answer; SQLite's errors come out as the journal's."""
        ...

    def reopen(self) -> int:
        """Close the connections that nobody uses, and return how many; the next query opens one anew."""
        ...

    async def close(self) -> None:
        """Finish what runs, then close every connection."""
        ...


class _Idle:
    """Connections that nobody uses; opened when first needed, dropped after an error."""

    def __init__(self, path: Path, connect: Callable[[], apsw.Connection], figures: LaneFigures | None = None) -> None:
        self._path = path
        self._connect = connect
        self._figures = figures
        self._idle: SimpleQueue[apsw.Connection] = SimpleQueue()

    def run(self, query: Query[T]) -> T:
        connection: apsw.Connection | None = None
        idle = self._idle
        try:
            connection = self._take()
            answer = query(connection)
        except (apsw.Error, UnicodeDecodeError) as error:
            if connection is not None:
                self._end(connection)
            raise explain(error, self._path) from error
        if idle is self._idle:
            idle.put(connection)
        else:
            self._end(connection)  # of the file as it was before `reopen`
        return answer

    def _take(self) -> apsw.Connection:
        try:
            return self._idle.get_nowait()
        except Empty:
            connection = self._connect()
            if self._figures is not None:
                self._figures.opened(connection)
            return connection

    def _end(self, connection: apsw.Connection) -> None:
        connection.close(True)
        if self._figures is not None:
            self._figures.closed(connection)

    def keep(self, most: int) -> None:
        """Close what is more than that."""
        idle = self._idle
        with suppress(Empty):
            while idle.qsize() > most:
                self._end(idle.get_nowait())

    def close(self) -> int:
        idle, self._idle = self._idle, SimpleQueue()
        closed = 0
        with suppress(Empty):
            while True:
                self._end(idle.get_nowait())
                closed += 1
        return closed


class ThreadLanes:
    """Up to `size` queries at once, each on a thread with a connection. A pool that a manager may tend and tune.

    Args:
        size_max: how far waits may make it grow; None keeps the size.
    """

    def __init__(
        self,
        path: Path,
        connect: Callable[[], apsw.Connection],
        *,
        name: str,
        size: int,
        clock: Clock,
        size_max: int | None = None,
    ) -> None:
        self.figures = LaneFigures(name, size, clock)
        self._least, self._most = size, size_max or size
        self._idle = _Idle(path, connect, self.figures)
        self._executor = ThreadPoolExecutor(max_workers=size, thread_name_prefix=name)
        self._under_way: set[Future[Any]] = set()
        self._closed = False

    def status(self) -> PoolStatus:
        """Return the lanes as a pool."""
        return self.figures.status()

    def queries(self) -> Sequence[QueryFigures]:
        """Return what every kind of query took so far."""
        return self.figures.queries()

    async def tend(self) -> None:
        """Close connections that a smaller size left over; the journal's probe reads over the others each round."""
        self._idle.keep(self.figures.size)

    def tune(self) -> str:
        """Move the size by one, within its limits, by what queries waited; return what was done, "" for nothing."""
        size, (p99_s, waits, most) = self.figures.size, self.figures.pressure()
        if p99_s > LONG_WAIT_S and size < self._most:
            return self._resize(size + 1, f"p99 of waits is {p99_s * 1e3:.0f} ms")
        if size > self._least and waits >= ENOUGH_WAITS and most < size:
            return self._resize(size - 1, f"at most {most} were in use")
        return ""

    def _resize(self, size: int, because: str) -> str:
        """Queries that wait go on with the threads they wait for, which end then; new ones get the new number."""
        name, was = self.figures.name, self.figures.size
        self._executor.shutdown(wait=False)
        self._executor = ThreadPoolExecutor(max_workers=size, thread_name_prefix=name)
        self.figures.size = size
        return f"pool {name}: size {was} → {size}, because {because}"

    async def run(self, query: Query[T]) -> T:
        if self._closed:
            raise StoreClosed("the journal is closed")
        asked = self._executor.submit(self._on_a_lane, query, self.figures.asked())
        self._under_way.add(asked)
        asked.add_done_callback(self._ended)
        return await asyncio.wrap_future(asked)

    def _on_a_lane(self, query: Query[T], asked_ns: int) -> T:
        ticket = self.figures.began(asked_ns, name_of(query))
        try:
            return self._idle.run(query)
        finally:
            self.figures.ended(ticket)

    def _ended(self, asked: Future[T]) -> None:
        self._under_way.discard(asked)
        if asked.cancelled():
            self.figures.given_up()

    def reopen(self) -> int:
        return self._idle.close()

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(wait, list(self._under_way))  # those of an earlier size among them
            await asyncio.to_thread(self._executor.shutdown)
            self._idle.close()


class InlineLanes:
    """Queries run before `run` returns: no thread, for simulations."""

    def __init__(self, path: Path, connect: Callable[[], apsw.Connection]) -> None:
        self._idle = _Idle(path, connect)
        self._closed = False

    async def run(self, query: Query[T]) -> T:
        if self._closed:
            raise StoreClosed("the journal is closed")
        return self._idle.run(query)

    def reopen(self) -> int:
        return self._idle.close()

    async def close(self) -> None:
        self._closed = True
        self._idle.close()
