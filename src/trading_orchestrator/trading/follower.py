"""Follows a desk's own stream into a Book, so that a takeover finds it folded up to the head."""

from __future__ import annotations

import asyncio
import logging

from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.storage.ports import FactStore, ProjectionRow
from trading_orchestrator.trading.book import SNAPSHOT_EVERY_FACTS, Book, SnapshotDamaged
from trading_orchestrator.trading.rows import SNAPSHOT
from trading_orchestrator.trading.strategies.missed_fills import RecentTrades

log = logging.getLogger(__name__)
PAGE = 1_000
LOOK_AGAIN_S = 1.0
DECISIONS = frozenset(("desk.reconciled", "order.intended"))


class Follower:
    """A Book that stays behind the journal by milliseconds. Only reads."""

    def __init__(
        self,
        desk: str,
        account: str,
        store: FactStore,
        clock: Clock,
        *,
        snapshot_every_facts: int = SNAPSHOT_EVERY_FACTS,
    ) -> None:
        self._stream = f"desk/{desk}"
        self._store = store
        self._clock = clock
        self._pos = 0
        self._task: asyncio.Task[None] | None = None
        self._snapshot_every_facts = snapshot_every_facts
        self.book = Book(desk, account=account, timeline=store.journal_id)
        self.recent = RecentTrades(from_seq=1)
        self.saw_decisions = False
        """Since the start somebody decided, or was found fit to: so his start had asked what this journal lacks."""

    async def start(self) -> None:
        """Fold from the newest snapshot to the head, then keep following in the background.

        Raises:
            JournalCorrupt: a fact does not read back as it was written.
        """
        row = await self._store.row(SNAPSHOT, self.book.desk)
        if row is not None:
            await self._begin_at(row)
        self.book.snapshot_every_facts = self._snapshot_every_facts
        await self._read_on()
        self._task = asyncio.create_task(self._follow(), name=f"follow {self._stream}")

    async def _begin_at(self, row: ProjectionRow) -> None:
        try:
            self.book = Book.from_snapshot(row.value)
        except SnapshotDamaged as error:
            log.warning("%s: folding every fact, because the snapshot is damaged: %s", self._stream, error.message)
            return
        self.book.on_timeline(self._store.journal_id)
        self.recent = RecentTrades(from_seq=self.book.seq + 1)
        self._pos = await self._pos_before(row.pos)

    async def stop_at_head(self) -> None:
        """Stop following, with every fact applied that the journal holds now.

        Whoever holds the lease calls this: under the new epoch nobody else can add to the stream any more.
        """
        await self.stop()
        await self._read_on()

    async def stop(self) -> None:
        """Stop following."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _pos_before(self, row_pos: int) -> int:
        """Return a position before the first fact the snapshot lacks; facts it has are skipped by their seq.

        A snapshot is written with the last of its facts, so that one's place is enough.
        """
        last = await self._store.read_before(stream=self._stream, before_pos=row_pos + 1, limit=1)
        return next((fact.pos for fact in last if fact.seq <= self.book.seq), 0)

    async def _follow(self) -> None:
        seen_pos = self._pos
        while True:
            try:
                seen_pos = await self._store.wait_change(seen_pos, LOOK_AGAIN_S)
                await self._read_on()
            except Transient as error:
                log.warning("following %s: %s", self._stream, error.message)
                await self._clock.sleep(LOOK_AGAIN_S)

    async def _read_on(self) -> None:
        while page := await self._store.read(stream=self._stream, after_pos=self._pos, limit=PAGE):
            for fact in page:
                if fact.seq > self.book.seq:
                    self.book.apply_fact(fact)
                    self.recent.on_fact(fact)
                    self.saw_decisions |= self._task is not None and fact.kind in DECISIONS
                self._pos = fact.pos
            if len(page) < PAGE:
                return
