"""Is the journal there: it answers a read, has not gone back, and takes a write; a disk that reads may not write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.health.health_checker import Probe
from trading_orchestrator.storage.ports import FactStore


def journal_probe(store: FactStore, write: Callable[[], Awaitable[None]] | None = None) -> Probe:
    """Return a probe that reads the heads and writes once; what reading raises is the checker's to tell.

    Args:
        write: one real, durable write; None leaves it at reading.
    """
    highest_pos = 0

    async def probe() -> Health:
        nonlocal highest_pos
        heads = await store.heads()
        pos = max((head.pos for head in heads), default=0)
        if pos < highest_pos:
            return Health(HealthState.UNHEALTHY, f"it went back from pos {highest_pos} to {pos}: was a file replaced?")
        highest_pos = pos
        if write is not None:
            try:
                await write()
            except OrchestratorError as error:
                return Health(HealthState.UNHEALTHY, f"it cannot be written: {error.message}", "database.locked")
        return Health(HealthState.HEALTHY, f"{len(heads)} streams, pos {pos}")

    return probe
