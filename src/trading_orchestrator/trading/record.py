"""A desk's record: the Book runs ahead, the journal follows in order, and nobody acts on what is not durable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from trading_orchestrator.errors import Broken, OrchestratorError, Transient
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.faultpoint import FaultPoint
from trading_orchestrator.storage.ports import FactStore, Fence, NewFact
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.facts import Body

BEFORE = {"order.intended": "order.deciding", "cancel.intended": "cancel.deciding", "trade.booked": "trade.booking"}
"""Where tests hold the process right before facts of a kind become durable."""


class RecordLost(Transient):
    """An append failed, so the Book is ahead of the journal for good: throw it away and fold anew."""

    code = "desk.record_lost"


class Entry:
    """Facts that become durable together, and who waits for it."""

    __slots__ = ("durable", "facts")

    def __init__(self, facts: Sequence[NewFact], durable: asyncio.Future[None]) -> None:
        self.facts = facts
        self.durable = durable


class DeskRecord:
    """Writes a desk's facts: at once into the Book, then, first in first out, into the journal.

    One append is under way at a time; what is written meanwhile goes with the next. So what the journal holds is
    always a prefix of what the Book has seen, and a failed append ends this record: every later write fails, too.

    Concurrency: one event loop. `stage` and `commit` are called without an await between them.
    """

    def __init__(
        self,
        book: Book,
        store: FactStore,
        *,
        node: str,
        fence: Fence,
        clock: Clock,
        fault: FaultPoint,
        on_lost: Callable[[OrchestratorError], None],
    ) -> None:
        self.book = book
        self._store = store
        self._node = node
        self._fence = fence
        self._clock = clock
        self._fault = fault
        self._on_lost = on_lost
        self._staged: list[NewFact] = []
        self._waiting: list[Entry] = []
        self._writer: asyncio.Task[None] | None = None
        self._lost: OrchestratorError | None = None

    @property
    def is_lost(self) -> bool:
        """Return whether nothing written from now on can become durable."""
        return self._lost is not None

    def stage(self, *bodies: Body) -> None:
        """Apply facts to the Book now; they become durable with the next `commit`.

        Raises:
            Broken: a fact contradicts the Book; this record is lost.
        """
        try:
            recorded = self.book.record(bodies, self._clock.wall_ns(), with_rows=False)
        except Broken as error:
            self._lose(error, [])
            raise
        self._staged += recorded.facts

    def commit(self) -> asyncio.Future[None]:
        """Send what was staged on its way; the future is done when it is durable.

        The future raises RecordLost when it is not, and StaleEpoch, CommitUnknown or StorageUnavailable as the store
        said. Nobody has to await it.
        """
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        durable.add_done_callback(_retrieved)
        entry = Entry(self._staged, durable)
        self._staged = []
        if self._lost is not None:
            durable.set_exception(RecordLost("an earlier append failed", cause=self._lost.code))
            return durable
        self._waiting.append(entry)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all(), name="desk-record")
        return durable

    def write(self, *bodies: Body) -> asyncio.Future[None]:
        """Stage and commit."""
        self.stage(*bodies)
        return self.commit()

    async def flush(self) -> None:
        """Return when everything committed so far is durable, or lost."""
        while self._writer is not None:
            await asyncio.wait([self._writer])

    def stop(self) -> None:
        """Accept nothing more; what is under way is left to itself."""
        if self._lost is None:
            self._lost = RecordLost("the desk has stopped acting")

    async def _write_all(self) -> None:
        while self._waiting and self._lost is None:
            entries, self._waiting = self._waiting, []
            facts = [fact for entry in entries for fact in entry.facts]
            # Between two awaits everything staged is committed: the book stands where these facts end.
            puts = self.book.take_puts()
            try:
                kinds = {fact.kind for fact in facts}
                for point in [BEFORE[kind] for kind in BEFORE if kind in kinds]:
                    await self._fault(point)
                await self._store.append(facts, node=self._node, fence=self._fence, puts=puts)
                if "trade.booked" in kinds:
                    await self._fault("trade.booked")
            except OrchestratorError as error:
                self._lose(error, entries)
                break
            except Exception as error:  # noqa: BLE001 - were it let go, everybody would wait for ever
                self._lose(Broken(f"the journal failed: {type(error).__name__}: {error}"), entries)
                break
            for entry in entries:
                if not entry.durable.done():  # who waited may have been cancelled, and the future with it
                    entry.durable.set_result(None)
        self._writer = None
        if self._lost is not None:
            self._lose(self._lost, [])

    def _lose(self, error: OrchestratorError, entries: list[Entry]) -> None:
        first, self._lost = self._lost is None, error
        for entry in (*entries, *self._waiting):
            if not entry.durable.done():
                entry.durable.set_exception(RecordLost(error.message, cause=error.code))
        self._waiting = []
        if first:
            self._on_lost(error)


def _retrieved(future: asyncio.Future[None]) -> None:
    """A failure is told through `on_lost`; that nobody asked this future for it is no news."""
    if not future.cancelled():
        future.exception()
