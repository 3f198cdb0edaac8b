"""The FactStore on SQLite: the port's calls turned into works for the writer and queries for the lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from trading_orchestrator.errors import Refused
from trading_orchestrator.storage.chain import canonical_json
from trading_orchestrator.storage.ports import Fact, Fence, Head, LeaseRow, NewFact, ProjectionRow, Put
from trading_orchestrator.storage.sqlite import queries
from trading_orchestrator.storage.sqlite.checkpoint import Checkpointed, LogGuard, checkpoint, cut
from trading_orchestrator.storage.sqlite.committer import Committer
from trading_orchestrator.storage.sqlite.lanes import Lanes, ThreadLanes
from trading_orchestrator.storage.sqlite.transaction import Draft, RowPut
from trading_orchestrator.storage.sqlite.watch import ChangeWatch
from trading_orchestrator.storage.sqlite.works import Append, ClaimLease, ReleaseLease, RenewLease
from trading_orchestrator.storage.sqlite.writer import Writer

UNFENCED_STREAMS = frozenset({"access", "config", "cluster"})
BODY_BYTES_MAX = 1 << 20
ROW_BYTES_MAX = 1 << 26
"""A row may sum up what many facts said: a desk's snapshot holds every open order, about 150 bytes each."""


class FactRefused(Refused):
    """A fact that the journal does not take: unfenced, nameless, too large, or with a body that is no JSON."""

    code = "journal.fact_refused"


class SqliteStore:
    """One journal file as seen by this process.

    Use from one event loop. Appends and lease calls are committed in the order of the calls; a call whose
    task is cancelled may still be committed.
    """

    def __init__(
        self,
        journal_id: str,
        *,
        writer: Writer,
        committer: Committer,
        readers: Lanes,
        upkeep: Lanes,
        watch: ChangeWatch,
        guard: LogGuard,
        committed: Callable[[int], None],
    ) -> None:
        self._journal_id = journal_id
        self._writer = writer
        self._committer = committer
        self._readers = readers
        self._upkeep = upkeep
        self._watch = watch
        self._guard = guard
        self._committed = committed
        self._guarding: asyncio.Task[Checkpointed] | None = None

    @property
    def journal_id(self) -> str:
        return self._journal_id

    async def append(
        self, facts: Sequence[NewFact], *, node: str, fence: Fence | None, puts: Sequence[Put] = ()
    ) -> Sequence[Fact]:
        if not facts:
            raise FactRefused("expected at least one fact: rows follow from facts")
        drafts = [_draft(fact, fence) for fact in facts]
        rows = [RowPut(_name(put.projection), _name(put.key), _value(put)) for put in puts]
        written = await self._committer.submit(Append(drafts, _name(node), fence, rows))
        self._committed(written[-1].pos)
        self._guard_log()
        return written

    async def read(
        self, *, stream: str | None = None, after_pos: int = 0, limit: int = 1000, kinds: Sequence[str] = ()
    ) -> Sequence[Fact]:
        return await self._readers.run(
            partial(queries.facts_after, stream=stream, after_pos=after_pos, limit=limit, kinds=kinds)
        )

    async def read_before(self, *, stream: str | None = None, before_pos: int | None, limit: int) -> Sequence[Fact]:
        return await self._readers.run(partial(queries.facts_before, stream=stream, before_pos=before_pos, limit=limit))

    async def heads(self) -> Sequence[Head]:
        return await self._readers.run(queries.heads)

    async def row(self, projection: str, key: str) -> ProjectionRow | None:
        return await self._readers.run(partial(queries.row, projection=projection, key=key))

    async def rows(
        self, projection: str, *, before_pos: int | None = None, limit: int = 100
    ) -> Sequence[ProjectionRow]:
        return await self._readers.run(partial(queries.rows, projection=projection, before_pos=before_pos, limit=limit))

    async def wait_change(self, after_pos: int, timeout_s: float) -> int:
        return await self._watch.wait(after_pos, timeout_s)

    async def claim_lease(self, name: str, *, holder: str, ttl_s: float, dead_holder: str = "") -> LeaseRow:
        return await self._committer.submit(ClaimLease(name, holder, _ns(ttl_s), dead_holder))

    async def renew_lease(self, name: str, *, holder: str, epoch: int, ttl_s: float) -> LeaseRow:
        return await self._committer.submit(RenewLease(name, holder, epoch, _ns(ttl_s)))

    async def release_lease(self, name: str, *, holder: str, epoch: int) -> None:
        await self._committer.submit(ReleaseLease(name, holder, epoch))

    async def leases(self) -> Sequence[LeaseRow]:
        return await self._readers.run(queries.leases)

    def pools(self) -> Mapping[str, ThreadLanes]:
        """Return each pool of connections by its name; nothing in a simulation, which has no threads."""
        lanes = (self._readers, self._upkeep)
        return {one.figures.name: one for one in lanes if isinstance(one, ThreadLanes)}

    async def checkpoint(self) -> Checkpointed:
        """Write the log back beside the writers. One node of a host calls this every few seconds."""
        return await self._upkeep.run(partial(checkpoint, restart_pages=self._guard.pages))

    async def cut_log(self) -> int:
        """Write the log back and cut its file, for a disk that is short; return the pages that are left in it."""
        return await self._upkeep.run(cut)

    def locked_out_s(self) -> float:
        """Return for how long another process has kept the write lock from ours, 0 when it does not."""
        return self._writer.locked_out_s()

    def reopen(self) -> int:
        """Drop every connection that is not in use, and return how many; the next use opens the file anew."""
        self._writer.reopen()
        return 1 + self._readers.reopen() + self._upkeep.reopen()

    async def close(self) -> None:
        await self._committer.close()
        if self._guarding is not None:
            await asyncio.wait((self._guarding,))
        await self._watch.close()
        await self._readers.close()
        await self._upkeep.close()

    def _guard_log(self) -> None:
        """Checkpoint when the log is long: with a single node nobody else does."""
        if self._guard.is_due(self._writer.wal_pages):
            self._guarding = asyncio.get_running_loop().create_task(self.checkpoint())
            self._guarding.add_done_callback(_retrieve)


def _draft(fact: NewFact, fence: Fence | None) -> Draft:
    if fence is None and fact.stream not in UNFENCED_STREAMS:
        raise FactRefused(f"stream {fact.stream}: expected a fence, was none", stream=fact.stream)
    return Draft(_name(fact.stream), _name(fact.kind), _json(fact.body, fact.kind))


def _name(text: str) -> str:
    """Return the text if it can be stored: checked here, so that it fails before it joins a group."""
    if text and text.isascii():
        return text
    try:
        if text.encode():
            return text
    except UnicodeEncodeError:
        pass
    raise FactRefused(f"expected a name in Unicode, was {text!r}", name=ascii(text))


def _value(put: Put) -> bytes | None:
    return None if put.value is None else _json(put.value, put.projection, ROW_BYTES_MAX)


def _json(value: object, of: str, most_bytes: int = BODY_BYTES_MAX) -> bytes:
    try:
        body = canonical_json(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise FactRefused(f"{of}: expected a value that JSON can hold, was {error}", of=of) from error
    if len(body) > most_bytes:
        raise FactRefused(f"{of}: expected at most {most_bytes} bytes, was {len(body)}", of=of)
    return body


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)


def _retrieve(task: asyncio.Task[Checkpointed]) -> None:
    """A failed checkpoint loses nothing and the next append starts another; commits report a sick disk."""
    if not task.cancelled():
        task.exception()
