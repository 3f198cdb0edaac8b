"""What a running system can be measured by: its nodes, its health, its desks and its leases, read once a round."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.alerts.readings import (
    Reading,
    decoded,
    of_desks,
    of_health,
    of_leases,
    of_nodes,
)
from trading_orchestrator.perpetual_operations.health.health_checker import HealthReport
from trading_orchestrator.perpetual_operations.monitoring.live import NodeNow
from trading_orchestrator.storage.ports import FactStore, LeaseRow

DESKS = 100


class Measuring:
    """Reads everything the rules may look at. One event loop; files are read on a thread."""

    def __init__(
        self,
        store: FactStore,
        clock: Clock,
        *,
        nodes: Callable[[], Sequence[NodeNow]],
        report: Callable[[], HealthReport],
        boot_id: str,
    ) -> None:
        self._store = store
        self._clock = clock
        self._nodes = nodes
        self._report = report
        self._boot_id = boot_id
        self._elsewhere: dict[str, Sequence[str]] = {}

    def depends_on(self) -> Mapping[str, Sequence[str]]:
        """Return which parts each part stands on, those of other nodes as they were last read."""
        return self._elsewhere | {part.name: part.depends_on for part in self._report().parts}

    async def read(self) -> list[Reading]:
        """Return all readings of this moment.

        Raises:
            StorageUnavailable: the journal cannot be read now.
        """
        from trading_orchestrator.perpetual_operations.monitoring.metrics import OF_HOST, OF_NODE

        nodes = await asyncio.to_thread(self._nodes)
        reports = [now.health for now in nodes if now.health is not None]
        self._elsewhere = {part.name: part.depends_on for report in reports for part in report.parts}
        desks = decoded(row.value for row in await self._store.rows("desks", limit=DESKS))
        leases = await self._store.leases()
        boot_ns = self._clock.boot_ns()
        return [
            *of_nodes(nodes, host=OF_HOST, node=OF_NODE),
            *of_health(self._report(), nodes),
            *of_desks(desks),
            *of_leases(leases, boot_id=self._boot_id, boot_ns=boot_ns),
            *_standby(nodes, leases),
        ]


def _standby(nodes: Sequence[NodeNow], leases: Sequence[LeaseRow]) -> Sequence[Reading]:
    """A program that only embeds us has no nodes that could stand by."""
    trades = any(row.name.startswith("desk/") for row in leases)
    return [("trading_nodes_alive", {}, float(len(nodes)))] if trades else []
