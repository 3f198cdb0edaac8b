"""What is given up under pressure, and in which order: the table. The last row taken is the first undone."""

from __future__ import annotations

import msgspec

from trading_orchestrator.perpetual_operations.monitoring.resources.pressure import Resource

BUSY = (Resource.CPU, Resource.LOOP)
NEVER_SHED = ("cancels", "reconciliation", "alerts", "kill_switch", "lease_renewal")
"""What has no row and never gets one: who cannot cancel or call for help is worse off than one who is slow."""


class Step(msgspec.Struct, frozen=True):
    """One thing to give up: `lever` is what a part registered, `eases` the resources it helps."""

    lever: str
    eases: tuple[Resource, ...]
    says: str


STEPS = (
    Step("caches", (Resource.MEMORY,), "caches are emptied and memory is given back"),
    Step("expired_files", (Resource.DISK,), "expired files are removed, the oldest logs and all caches with them"),
    Step("journal_log", (Resource.DISK,), "the journal's log is written back and cut"),
    Step(
        "old_measurements",
        (Resource.DISK,),
        "measurements of more than a day, and their minutes of a week, are dropped",
    ),
    Step("dashboard_rate", BUSY, "the dashboard is refreshed every two seconds"),
    Step("sampling", (*BUSY, Resource.DISK), "this node measures itself every fifth second"),
    Step("optional_jobs", (*BUSY, Resource.MEMORY, Resource.DISK), "optional jobs wait"),
    Step("non_critical_strategies", (*BUSY, Resource.MEMORY), "strategies that are not critical open nothing new"),
)
