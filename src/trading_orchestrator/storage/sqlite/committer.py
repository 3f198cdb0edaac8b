"""How works reach the writer: through a thread in production, inline in simulation."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

import msgspec

from trading_orchestrator.errors import Broken, Refused
from trading_orchestrator.storage.sqlite.works import Work
from trading_orchestrator.storage.sqlite.writer import Outcome, Works, Writer

T = TypeVar("T")


class StoreClosed(Refused):
    """The store was closed before this call."""

    code = "storage.closed"


class Committer(Protocol):
    """Commits works in the order of the calls, and completes their futures in that order."""

    def submit(self, work: Work[T]) -> asyncio.Future[T]:
        """Return the future answer. Cancelling it does not take the work back."""
        ...

    async def close(self) -> None:
        """Commit what was accepted, then close the writer."""
        ...


class _Call(msgspec.Struct, frozen=True):
    work: Work[Any]
    answer: asyncio.Future[Any]


class InlineCommitter:
    """Commits each work before `submit` returns: no thread, so a simulation sees one order of things."""

    def __init__(self, writer: Writer) -> None:
        self._writer: Writer | None = writer

    def submit(self, work: Work[T]) -> asyncio.Future[T]:
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if self._writer is None:
            raise StoreClosed("the journal is closed")
        _complete([answer], self._writer.commit([work]))
        return answer

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class ThreadCommitter:
    """Group commit on a thread of its own.

    Use from one event loop. The works of one turn of the loop are handed over together, so fifty callers
    that wake together share one sync; the writer takes what arrives meanwhile into the same group.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._pending: list[_Call] = []
        self._queue: SimpleQueue[list[_Call] | None] = SimpleQueue()
        self._closing: asyncio.Future[None] | None = None
        self._thread = threading.Thread(target=self._run, name="journal-committer", daemon=True)
        self._thread.start()

    def submit(self, work: Work[T]) -> asyncio.Future[T]:
        if self._closing is not None:
            raise StoreClosed("the journal is closed")
        answer: asyncio.Future[T] = self._loop.create_future()
        if not self._pending:
            self._loop.call_soon(self._hand_over)
        self._pending.append(_Call(work, answer))
        return answer

    async def close(self) -> None:
        if self._closing is None:
            self._closing = self._loop.create_future()
            self._hand_over()
            self._queue.put(None)
        await asyncio.shield(self._closing)

    def _hand_over(self) -> None:
        if self._pending:
            self._queue.put(self._pending)
            self._pending = []

    def _run(self) -> None:
        while (calls := self._queue.get()) is not None:
            self._commit(calls)
        self._writer.close()
        self._tell_loop(self._closed)

    def _commit(self, calls: list[_Call]) -> None:
        try:
            outcomes = self._writer.commit([call.work for call in calls], lambda: self._take_more(calls))
        except Exception as error:  # noqa: BLE001 - a dead committer would leave every caller waiting for ever
            outcomes = [Outcome(error=Broken(f"the journal's writer failed: {error!r}")) for _ in calls]
        self._tell_loop(_complete, [call.answer for call in calls], outcomes)

    def _take_more(self, calls: list[_Call]) -> Works:
        try:
            more = self._queue.get_nowait()
        except Empty:
            return ()
        if more is None:
            self._queue.put(None)
            return ()
        calls += more
        return [call.work for call in more]

    def _closed(self) -> None:
        if self._closing is not None and not self._closing.done():
            self._closing.set_result(None)

    def _tell_loop(self, callback: Any, *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:  # the loop is gone, and with it everybody who waited
            return


def _complete(answers: Sequence[asyncio.Future[Any]], outcomes: Sequence[Outcome]) -> None:
    for answer, outcome in zip(answers, outcomes, strict=True):
        if answer.done():
            continue
        if outcome.error is not None:
            answer.set_exception(outcome.error)
        else:
            answer.set_result(outcome.value)
