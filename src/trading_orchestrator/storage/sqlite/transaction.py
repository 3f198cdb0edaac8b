"""One write transaction: fences and heads are read inside it, facts and rows are staged and written together."""

from __future__ import annotations

from collections.abc import Sequence

import apsw
import msgspec

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.storage.chain import ZERO_HASH, fact_hash
from trading_orchestrator.storage.ports import Fact, Fence, LeaseRow, StaleEpoch
from trading_orchestrator.storage.sqlite.queries import last_pos

# Columns are named, so that a release beside us may add one (a rolling upgrade).
_ADD_FACT = (
    "INSERT INTO facts (pos, stream, seq, at_ns, node, epoch, kind, body, prev_hash, hash)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_PUT_LEASE = "REPLACE INTO leases (name, holder, epoch, expires_ns, boot_id) VALUES (?, ?, ?, ?, ?)"
_PUT_ROW = "REPLACE INTO projection (name, key, value, pos) VALUES (?, ?, ?, ?)"


class Draft(msgspec.Struct, frozen=True):
    """A fact whose body is already canonical JSON, before it has a place."""

    stream: str
    kind: str
    body: bytes


class RowPut(msgspec.Struct, frozen=True):
    """A projection row to write (`value` is canonical JSON) or, with None, to delete."""

    projection: str
    key: str
    value: bytes | None


class _Tip(msgspec.Struct):
    """A stream's head as it moves through the transaction."""

    id: int
    seq: int
    pos: int
    hash: bytes
    moved: bool = False


class WriteTransaction:
    """What works stage between BEGIN IMMEDIATE and COMMIT.

    Use on the thread that holds the write lock. Nothing here outlives the transaction, because another
    process may move every head as soon as it ends.
    """

    def __init__(self, connection: apsw.Connection, clock: Clock, boot_id: str) -> None:
        self._connection = connection
        self._clock = clock
        self.boot_id = boot_id
        self._next_pos = last_pos(connection) + 1
        self._tips: dict[str, _Tip] = {}
        self._leases: dict[str, LeaseRow | None] = {}
        self._stored_lease: LeaseRow | None = None
        self._facts: list[tuple[int, int, int, int, str, int, str, bytes, bytes, bytes]] = []
        self._rows: dict[tuple[str, str], tuple[bytes | None, int]] = {}

    @property
    def boot_ns(self) -> int:
        """Return the present on the clock leases live by."""
        return self._clock.boot_ns()

    def check_fence(self, fence: Fence) -> None:
        """Raise StaleEpoch unless the lease's row still carries the fence's epoch."""
        row = self.lease(fence.lease)
        found = row.epoch if row else 0
        if found != fence.epoch:
            raise StaleEpoch(
                f"lease {fence.lease}: expected epoch {fence.epoch}, was {found}",
                lease=fence.lease,
                epoch=fence.epoch,
                found=found,
            )

    def add(self, drafts: Sequence[Draft], *, node: str, epoch: int, puts: Sequence[RowPut]) -> list[Fact]:
        """Stage facts and their rows; return the facts with their places."""
        at_ns = self._clock.wall_ns()
        facts = [self._place(draft, at_ns, node, epoch) for draft in drafts]
        for put in puts:
            self._rows[put.projection, put.key] = (put.value, self._next_pos - 1)
        return facts

    def _place(self, draft: Draft, at_ns: int, node: str, epoch: int) -> Fact:
        tip = self._tips.get(draft.stream) or self._read_tip(draft.stream)
        pos, seq, prev_hash = self._next_pos, tip.seq + 1, tip.hash
        digest = fact_hash(draft.stream, seq, pos, at_ns, node, epoch, draft.kind, draft.body, prev_hash)
        self._facts.append((pos, tip.id, seq, at_ns, node, epoch, draft.kind, draft.body, prev_hash, digest))
        tip.seq, tip.pos, tip.hash, tip.moved = seq, pos, digest, True
        self._next_pos = pos + 1
        return Fact(pos, draft.stream, seq, at_ns, node, epoch, draft.kind, draft.body, prev_hash, digest)

    def _read_tip(self, stream: str) -> _Tip:
        sql = "SELECT id, seq, pos, hash FROM heads WHERE stream = ?"
        row = self._connection.execute(sql, (stream,)).fetchone()
        if row is None:
            self._connection.execute(
                "INSERT INTO heads (stream, seq, pos, hash) VALUES (?, 0, 0, ?)", (stream, ZERO_HASH)
            )
            row = (self._connection.last_insert_rowid(), 0, 0, ZERO_HASH)
        tip = self._tips[stream] = _Tip(*row)
        return tip

    def lease(self, name: str) -> LeaseRow | None:
        """Return the lease as this transaction sees it."""
        if name not in self._leases:
            sql = "SELECT name, holder, epoch, expires_ns, boot_id FROM leases WHERE name = ?"
            row = self._connection.execute(sql, (name,)).fetchone()
            self._leases[name] = LeaseRow(*row) if row else None
        return self._leases[name]

    def store_lease(self, row: LeaseRow) -> None:
        """Write the lease; later works of the same transaction see it."""
        self._connection.execute(_PUT_LEASE, msgspec.structs.astuple(row))
        self._leases[row.name] = self._stored_lease = row

    def flush(self) -> None:
        """Write everything staged; COMMIT is the caller's."""
        if not self._facts:
            return
        self._connection.executemany(_ADD_FACT, self._facts)
        self._connection.executemany(
            "UPDATE heads SET seq = ?, pos = ?, hash = ? WHERE id = ?",
            [(tip.seq, tip.pos, tip.hash, tip.id) for tip in self._tips.values() if tip.moved],
        )
        if self._rows:
            self._flush_rows()

    def _flush_rows(self) -> None:
        kept = [(*at, value, pos) for at, (value, pos) in self._rows.items() if value is not None]
        gone = [at for at, (value, _) in self._rows.items() if value is None]
        self._connection.executemany(_PUT_ROW, kept)
        if gone:
            self._connection.executemany("DELETE FROM projection WHERE name = ? AND key = ?", gone)

    def landed(self, connection: apsw.Connection) -> bool:
        """Return whether a fresh connection finds what this transaction wrote, after its COMMIT failed."""
        if self._facts:
            pos, digest = self._facts[-1][0], self._facts[-1][-1]
            return bool(connection.execute("SELECT 1 FROM facts WHERE pos = ? AND hash = ?", (pos, digest)).fetchall())
        if lease := self._stored_lease:
            sql = "SELECT name, holder, epoch, expires_ns, boot_id FROM leases WHERE name = ?"
            return connection.execute(sql, (lease.name,)).fetchone() == msgspec.structs.astuple(lease)
        return False
