"""The engines that the journal's promises are kept on: each opens as many stores on one journal as a test needs."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from trading_orchestrator.app.journal_check import verify
from trading_orchestrator.journal.verify import VerifyReport
from trading_orchestrator.kernel.clock import Clock, SystemClock
from trading_orchestrator.storage.ports import Fact, FactStore, Fence, NewFact, Put
from trading_orchestrator.storage.sqlite import open_store


class Engine(Protocol):
    """One empty journal of an engine."""

    async def open(self, *, clock: Clock | None = None) -> FactStore:
        """Return a store on the journal, like one more process would have."""
        ...

    def verify(self) -> VerifyReport:
        """Check the chains of the journal."""
        ...

    async def close(self) -> None:
        """Close every store that was opened."""
        ...


class SqliteEngine:
    def __init__(self, directory: Path) -> None:
        self.path = directory / "journal.db"
        self._opened: list[FactStore] = []

    async def open(self, *, clock: Clock | None = None) -> FactStore:
        store = await open_store(self.path, clock=clock or SystemClock())
        self._opened.append(store)
        return store

    def verify(self) -> VerifyReport:
        return verify(self.path)

    async def close(self) -> None:
        for store in self._opened:
            await store.close()


DESK = "desk/paper"


async def fence_for(store: FactStore, lease: str = DESK, *, holder: str = "first", dead: str = "") -> Fence:
    """Claim the lease and return the fence it gives."""
    row = await store.claim_lease(lease, holder=holder, ttl_s=3.0, dead_holder=dead)
    return Fence(lease, row.epoch)


async def append_number(store: FactStore, number: int, fence: Fence | None, *puts: Put, stream: str = DESK) -> Fact:
    """Append one fact whose body carries the number."""
    fact = NewFact(stream, "number.counted", {"number": number})
    return (await store.append([fact], node="test", fence=fence, puts=puts))[0]
