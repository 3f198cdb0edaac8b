"""What the journal asks of a database: fenced atomic append, ordered read, leases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import msgspec

from trading_orchestrator.errors import Broken, Refused, Transient, Unknown


class NewFact(msgspec.Struct, frozen=True):
    """A fact before it has a place: `body` is any msgspec-encodable value without secrets."""

    stream: str
    kind: str
    body: object


class Fact(msgspec.Struct, frozen=True):
    """One immutable journal record. `body` is canonical JSON bytes; `pos` orders all facts of a journal."""

    pos: int
    stream: str
    seq: int
    at_ns: int
    node: str
    epoch: int
    kind: str
    body: bytes
    prev_hash: bytes
    hash: bytes


class Put(msgspec.Struct, frozen=True):
    """Write one projection row with the facts it follows from; `value` None deletes it.

    Rows of one projection are listed newest `pos` first; `pos` becomes that of the append.
    """

    projection: str
    key: str
    value: object | None


class ProjectionRow(msgspec.Struct, frozen=True):
    """A projection row as read back; `value` is canonical JSON bytes."""

    key: str
    value: bytes
    pos: int


class Fence(msgspec.Struct, frozen=True):
    """The lease a writer acts under; an append is refused unless the row still says so."""

    lease: str
    epoch: int


class Head(msgspec.Struct, frozen=True):
    """Where a stream ends; seq 0 and 32 zero bytes when it is empty."""

    stream: str
    seq: int
    pos: int
    hash: bytes


class LeaseRow(msgspec.Struct, frozen=True):
    """A lease as stored. `expires_ns` and `boot_id` belong together: another boot's lease has expired."""

    name: str
    holder: str
    epoch: int
    expires_ns: int
    boot_id: str


class StaleEpoch(Refused):
    """Another holder has taken the lease: stop acting at once. Facts: lease, epoch (ours), found."""

    code = "journal.stale_epoch"


class LeaseHeld(Refused):
    """Somebody else holds the lease. Facts: lease, holder, epoch, expires_in_s."""

    code = "lease.held"


class CommitUnknown(Unknown):
    """COMMIT failed and reading back could not tell whether it happened."""

    code = "journal.commit_unknown"


class StorageUnavailable(Transient):
    """The database refused the write and nothing was written (full, read-only, locked too long, I/O error)."""

    code = "storage.unavailable"


class StorageLocked(StorageUnavailable):
    """Another process keeps the database locked for longer than any of ours may; nothing was written."""

    code = "storage.locked"


class JournalNewer(Broken):
    """The file was written by a newer version of the program: start that version."""

    code = "journal.newer"


class JournalCorrupt(Broken):
    """A stored fact does not read back as it was written. Facts: path, and stream, seq when known."""

    code = "journal.corrupt"


class WrittenBack(Protocol):
    """What a checkpoint did: pages in the log, and how many of them are in the file by now."""

    @property
    def log_pages(self) -> int: ...

    @property
    def written_pages(self) -> int: ...


@runtime_checkable
class FileStore(Protocol):
    """What a store on one file offers to whoever keeps it well, beyond being a FactStore."""

    def locked_out_s(self) -> float:
        """Return for how long another process has kept the write lock from ours, 0 when it does not."""
        ...

    def reopen(self) -> int:
        """Drop every connection that is not in use, and return how many; the next use opens the file anew."""
        ...

    async def checkpoint(self) -> WrittenBack:
        """Write the log back beside the writers."""
        ...


class FactStore(Protocol):
    """One journal database, as seen by one process. Calls may come from one event loop only.

    Streams `access`, `config` and `cluster` may be written without a fence; every other append names one.
    """

    @property
    def journal_id(self) -> str:
        """Return the random id minted with the journal (the timeline of client order ids)."""
        ...

    async def append(
        self, facts: Sequence[NewFact], *, node: str, fence: Fence | None, puts: Sequence[Put] = ()
    ) -> Sequence[Fact]:
        """Write facts (of one or several streams) and projection rows atomically; durable before it returns.

        Raises:
            StaleEpoch: the fence no longer holds; nothing was written.
            StorageUnavailable: nothing was written.
            CommitUnknown: it may have been written; read the heads before anything else.
        """
        ...

    async def read(
        self, *, stream: str | None = None, after_pos: int = 0, limit: int = 1000, kinds: Sequence[str] = ()
    ) -> Sequence[Fact]:
        """Return up to `limit` facts with pos > `after_pos`, ascending; of one stream when named."""
        ...

    async def read_before(self, *, stream: str | None = None, before_pos: int | None, limit: int) -> Sequence[Fact]:
        """Return up to `limit` facts with pos < `before_pos` (None: the end), newest first."""
        ...

    async def heads(self) -> Sequence[Head]:
        """Return the head of every stream."""
        ...

    async def row(self, projection: str, key: str) -> ProjectionRow | None:
        """Return one projection row, or None."""
        ...

    async def rows(
        self, projection: str, *, before_pos: int | None = None, limit: int = 100
    ) -> Sequence[ProjectionRow]:
        """Return projection rows newest first, below `before_pos` when given."""
        ...

    async def wait_change(self, after_pos: int, timeout_s: float) -> int:
        """Return the newest pos as soon as it is > `after_pos`; `after_pos` at the time-out.

        A commit of this process wakes it at once; another process's within 50 ms.
        """
        ...

    async def claim_lease(self, name: str, *, holder: str, ttl_s: float, dead_holder: str = "") -> LeaseRow:
        """Take the lease: raises its epoch by one.

        The row's `expires_ns` is on the caller's `Clock.boot_ns`, also where an engine has a clock of its own.

        Args:
            dead_holder: whose process is proved gone (incarnation lock). It says nothing of whoever else holds the
                lease by now.

        Raises:
            LeaseHeld: unexpired and held by another, who is not the one proved dead.
        """
        ...

    async def renew_lease(self, name: str, *, holder: str, epoch: int, ttl_s: float) -> LeaseRow:
        """Push the expiry out.

        Raises:
            StaleEpoch: the row names another holder or epoch.
        """
        ...

    async def release_lease(self, name: str, *, holder: str, epoch: int) -> None:
        """Give the lease up: it expires now and keeps its epoch. A stale release does nothing."""
        ...

    async def leases(self) -> Sequence[LeaseRow]:
        """Return every lease row."""
        ...

    async def close(self) -> None:
        """Finish what was accepted, then close every connection."""
        ...
