"""The judge's own eyes on the journal file: one connection a judge, which no node shares."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import apsw

from trading_orchestrator.storage.ports import Fact
from trading_orchestrator.storage.sqlite import queries
from trading_orchestrator.storage.sqlite.connection import connect_reader
from trading_orchestrator.trading.rows import SNAPSHOT

PAGE = 10_000


class JournalReader:
    """Reads one stream on from where it stopped. Use within one thread."""

    def __init__(self, path: Path, stream: str) -> None:
        self._connection: apsw.Connection = connect_reader(path)
        self._stream = stream
        self._pos = 0
        self._version: object = None

    def new_facts(self) -> Sequence[Fact]:
        """Return the stream's facts written since the last call, oldest first."""
        version = self._connection.execute("PRAGMA data_version").get
        if version == self._version:
            return ()
        self._version = version
        found = self._facts_after(self._pos)
        if found:
            self._pos = found[-1].pos
        return found

    def facts_of_stream(self) -> Sequence[Fact]:
        """Return every fact of the stream, oldest first."""
        return self._facts_after(0)

    def snapshot(self, desk: str) -> bytes | None:
        """Return the newest snapshot of the desk's book."""
        row = queries.row(self._connection, SNAPSHOT, desk)
        return row.value if row is not None else None

    def _facts_after(self, pos: int) -> list[Fact]:
        found: list[Fact] = []
        while page := queries.facts_after(self._connection, self._stream, pos, limit=PAGE, kinds=()):
            found += page
            pos = page[-1].pos
            if len(page) < PAGE:
                break
        return found

    def holder(self, lease: str) -> str:
        """Return who holds the lease by its row, "" when nobody ever did."""
        return self.holder_and_epoch(lease)[0]

    def holder_and_epoch(self, lease: str) -> tuple[str, int]:
        """Return who holds the lease by its row, and since which epoch."""
        rows = queries.leases(self._connection)
        return next(((row.holder, row.epoch) for row in rows if row.name == lease), ("", 0))

    def digest(self) -> str:
        """Return one hash over every stream's head, so over every fact."""
        hasher = blake2b(digest_size=16)
        for head in sorted(queries.heads(self._connection), key=lambda head: head.stream):
            hasher.update(f"{head.stream} {head.seq} {head.pos} ".encode() + head.hash)
        return hasher.hexdigest()

    def close(self) -> None:
        self._connection.close(True)
