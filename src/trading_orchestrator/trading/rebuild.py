"""Writes a desk's projection rows back from its facts: they are a cache, and deleting them loses nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec

from trading_orchestrator.storage.ports import Fact, FactStore, Fence, NewFact, ProjectionRow, Put
from trading_orchestrator.trading.book import Book
from trading_orchestrator.trading.facts import KIND_OF, AccountOpened, ProjectionsRebuilt
from trading_orchestrator.trading.orders.stored import ORDER_IDS, ORDERS, TRADES
from trading_orchestrator.trading.rows import DESKS, POSITIONS, SNAPSHOT

PAGE = 1_000
ROWS_A_COMMIT = 2_000


class Rebuilt(NamedTuple):
    """What a rebuild did: facts read, rows that there are now, rows removed that no fact explains."""

    facts: int
    rows: int
    removed: int


async def has_lost_rows(store: FactStore, book: Book) -> bool:
    """Return whether the desk has facts and no summary row, which every one of its commits writes."""
    return book.seq > 0 and await store.row(DESKS, book.desk) is None


async def rebuild_rows(store: FactStore, desk: str, *, node: str, fence: Fence) -> Rebuilt:
    """Fold the desk's whole stream and write every row again, in the order in which the rows last changed.

    Whoever calls this holds the desk's lease, so nobody else writes its rows. Interrupted it is begun again: rows are
    first written over, and only then those removed that no fact explains.

    Cost: one read and fold of the stream; memory O(open orders) and the keys of the rows.
    """
    account = await _account(store, desk)
    book = Book(desk, account=account, timeline=store.journal_id)
    writing = _Writing(store, desk, node, fence)
    facts = 0
    async for fact in _facts(store, desk):
        book.apply(fact.kind, fact.body, fact.at_ns)
        facts += 1
        await writing.take(*book.take_rows())
    if facts:
        await writing.take(book.snapshot_put())
    await writing.commit()
    removed = await writing.remove_unexplained(account)
    return Rebuilt(facts, len(writing.keys), removed)


async def _account(store: FactStore, desk: str) -> str:
    opened = await store.read(stream=f"desk/{desk}", limit=1, kinds=("account.opened",))
    return msgspec.json.decode(opened[0].body, type=AccountOpened).account if opened else ""


async def _facts(store: FactStore, desk: str) -> AsyncIterator[Fact]:
    """Yield the stream up to where it ended at the beginning: the rebuild adds facts of its own."""
    stream = f"desk/{desk}"
    last_seq = next((head.seq for head in await store.heads() if head.stream == stream), 0)
    after_pos = 0
    while page := await store.read(stream=stream, after_pos=after_pos, limit=PAGE):
        for fact in page:
            if fact.seq > last_seq:
                return
            yield fact
        after_pos = page[-1].pos


class _Writing:
    """Rows on their way; a commit takes so many, each with a fact that says so."""

    def __init__(self, store: FactStore, desk: str, node: str, fence: Fence) -> None:
        self._store = store
        self._desk = desk
        self._node = node
        self._fence = fence
        self._waiting: dict[tuple[str, str], Put] = {}
        self.keys: set[tuple[str, str]] = set()

    async def take(self, *puts: Put) -> None:
        for put in puts:
            at = put.projection, put.key
            self._waiting.pop(at, None)  # so that it is written in the order of its last change
            self._waiting[at] = put
            if put.value is None:
                self.keys.discard(at)
            else:
                self.keys.add(at)
        if len(self._waiting) >= ROWS_A_COMMIT:
            await self.commit()

    async def commit(self) -> None:
        puts, self._waiting = list(self._waiting.values()), {}
        if puts:
            body = ProjectionsRebuilt(rows=len(puts))
            fact = NewFact(stream=f"desk/{self._desk}", kind=KIND_OF[ProjectionsRebuilt], body=body)
            await self._store.append([fact], node=self._node, fence=self._fence, puts=puts)

    async def remove_unexplained(self, account: str) -> int:
        """Remove the desk's rows that no fact of it wrote; those of other desks are left alone."""
        removed = 0
        for projection in (ORDERS, ORDER_IDS, TRADES, POSITIONS, DESKS, SNAPSHOT):
            before_pos: int | None = None
            while page := await self._store.rows(projection, before_pos=before_pos, limit=PAGE):
                before_pos = page[-1].pos
                for row in page:
                    if (projection, row.key) not in self.keys and self._is_ours(projection, row, account):
                        removed += 1
                        self._waiting[projection, row.key] = Put(projection, row.key, None)
        await self.commit()
        return removed

    def _is_ours(self, projection: str, row: ProjectionRow, account: str) -> bool:
        if projection == ORDERS:
            return bool(msgspec.json.decode(row.value)["desk"] == self._desk)
        if projection in (ORDER_IDS, TRADES):
            return row.key.startswith(f"{account}/")
        return row.key.startswith(f"{self._desk}/") if projection == POSITIONS else row.key == self._desk
