"""Whom a lease names, for tests that hold him to be dead."""

from __future__ import annotations

from trading_orchestrator.storage.ports import FactStore


async def holder_of(store: FactStore, lease: str) -> str:
    """Return who holds or held the lease last, "" when nobody ever did."""
    return next((row.holder for row in await store.leases() if row.name == lease), "")
