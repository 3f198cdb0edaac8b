"""A journal that is empty, for tests that need one to be there."""

from __future__ import annotations

from collections.abc import Sequence

from trading_orchestrator.storage.ports import Fact, Fence, Head, LeaseRow, NewFact, ProjectionRow, Put


class EmptyStore:
    """A FactStore without facts; its leases are anybody's, and appending to it is a mistake of the test."""

    journal_id = "empty"

    async def append(
        self, facts: Sequence[NewFact], *, node: str, fence: Fence | None, puts: Sequence[Put] = ()
    ) -> Sequence[Fact]:
        raise NotImplementedError

    async def read(
        self, *, stream: str | None = None, after_pos: int = 0, limit: int = 1000, kinds: Sequence[str] = ()
    ) -> Sequence[Fact]:
        return []

    async def read_before(self, *, stream: str | None = None, before_pos: int | None, limit: int) -> Sequence[Fact]:
        return []

    async def heads(self) -> Sequence[Head]:
        return []

    async def row(self, projection: str, key: str) -> ProjectionRow | None:
        return None

    async def rows(
        self, projection: str, *, before_pos: int | None = None, limit: int = 100
    ) -> Sequence[ProjectionRow]:
        return []

    async def wait_change(self, after_pos: int, timeout_s: float) -> int:
        return after_pos

    async def claim_lease(self, name: str, *, holder: str, ttl_s: float, dead_holder: str = "") -> LeaseRow:
        return LeaseRow(name, holder, 1, 0, "")

    async def renew_lease(self, name: str, *, holder: str, epoch: int, ttl_s: float) -> LeaseRow:
        return LeaseRow(name, holder, epoch, 0, "")

    async def release_lease(self, name: str, *, holder: str, epoch: int) -> None:
        raise NotImplementedError

    async def leases(self) -> Sequence[LeaseRow]:
        return []

    async def close(self) -> None:
        return None
