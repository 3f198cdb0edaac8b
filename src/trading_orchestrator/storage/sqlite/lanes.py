"""Lanes: connections that reads and checkpoints run on, each used by one thread at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol, TypeVar

import apsw

from trading_orchestrator.storage.sqlite.committer import StoreClosed
from trading_orchestrator.storage.sqlite.failures import explain

T = TypeVar("T")
Query = Callable[[apsw.Connection], T]


class Lanes(Protocol):
    """A bounded number of connections."""

    async def run(self, query: Query[T]) -> T:
        """Return the query's answer; SQLite's errors come out as the journal's."""
        ...

    async def close(self) -> None:
        """Finish what runs, then close every connection."""
        ...


class _Idle:
    """Connections that nobody uses; opened when first needed, dropped after an error."""

    def __init__(self, path: Path, connect: Callable[[], apsw.Connection]) -> None:
        self._path = path
        self._connect = connect
        self._idle: SimpleQueue[apsw.Connection] = SimpleQueue()

    def run(self, query: Query[T]) -> T:
        connection: apsw.Connection | None = None
        try:
            connection = self._take()
            answer = query(connection)
        except apsw.Error as error:
            if connection is not None:
                connection.close(True)
            raise explain(error, self._path) from error
        self._idle.put(connection)
        return answer

    def _take(self) -> apsw.Connection:
        try:
            return self._idle.get_nowait()
        except Empty:
            return self._connect()

    def close(self) -> None:
        while not self._idle.empty():
            self._idle.get_nowait().close(True)


class ThreadLanes:
    """Up to `size` queries at once, each on a thread with a connection."""

    def __init__(self, path: Path, connect: Callable[[], apsw.Connection], *, name: str, size: int) -> None:
        self._idle = _Idle(path, connect)
        self._executor = ThreadPoolExecutor(max_workers=size, thread_name_prefix=name)
        self._closed = False

    async def run(self, query: Query[T]) -> T:
        if self._closed:
            raise StoreClosed("the journal is closed")
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._idle.run, query)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
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

    async def close(self) -> None:
        self._closed = True
        self._idle.close()
