"""Is the journal there: it answers a read, and it has not gone back."""

from __future__ import annotations

from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.health.health_checker import Probe
from trading_orchestrator.storage.ports import FactStore


def journal_probe(store: FactStore) -> Probe:
    """Return a probe that reads the heads; whatever the store raises is the checker's to tell."""
    highest_pos = 0

    async def probe() -> Health:
        nonlocal highest_pos
        heads = await store.heads()
        pos = max((head.pos for head in heads), default=0)
        if pos < highest_pos:
            return Health(HealthState.UNHEALTHY, f"it went back from pos {highest_pos} to {pos}: was a file replaced?")
        highest_pos = pos
        return Health(HealthState.HEALTHY, f"{len(heads)} streams, pos {pos}")

    return probe
