"""What one look at the system shows: read through the store, so that any node can serve it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.console.last_hour import Curve, LastHour
from trading_orchestrator.perpetual_operations.console.verdict import Verdict, judge
from trading_orchestrator.perpetual_operations.console.who_holds import LeaseLine, NodeLine, WhoHolds
from trading_orchestrator.perpetual_operations.health.health_checker import HealthChecker, HealthReport
from trading_orchestrator.perpetual_operations.health.of_all_nodes import merged
from trading_orchestrator.perpetual_operations.incidents.correlation import one_per_cause
from trading_orchestrator.perpetual_operations.incidents.incident import Incident
from trading_orchestrator.perpetual_operations.incidents.read import incidents_of
from trading_orchestrator.perpetual_operations.monitoring.journal_watch import JournalWatch
from trading_orchestrator.perpetual_operations.monitoring.sample import Sample
from trading_orchestrator.perpetual_operations.monitoring.system_monitor import SystemMonitor
from trading_orchestrator.storage.ports import FactStore, ProjectionRow

Row = Mapping[str, Any]
DESK, DESKS = "desk/", 100
POSITIONS = 100
INCIDENTS_READ = 30
INCIDENTS_SHOWN = 6


class Overview(msgspec.Struct, frozen=True):
    """One look. Orders and trades are the newest rows of their projections, as trading wrote them; `health` is that
    of all nodes.
    """

    at_ns: int
    served_by: str
    verdict: Verdict
    pos: int
    facts_per_s: float
    nodes: tuple[NodeLine, ...]
    leases: tuple[LeaseLine, ...]
    desks: tuple[Row, ...]
    positions: tuple[Row, ...]
    orders: tuple[Row, ...]
    trades: tuple[Row, ...]
    health: HealthReport
    system: Sample | None
    hour: tuple[Curve, ...] = ()
    alerts: tuple[Row, ...] = ()
    incidents: tuple[Incident, ...] = ()


class OverviewReader:
    """Reads an overview: nine small reads each. One event loop.

    Args:
        reports_elsewhere: returns the newest health report of every other node; blocking, so a thread asks it.
    """

    def __init__(
        self,
        store: FactStore,
        clock: Clock,
        *,
        who: WhoHolds,
        health: HealthChecker,
        journal: JournalWatch,
        monitor: SystemMonitor,
        node: str,
        reports_elsewhere: Callable[[], Sequence[HealthReport]] = tuple,
        hour: LastHour | None = None,
        alerts: Callable[[], Sequence[Row]] = tuple,
    ) -> None:
        self._store = store
        self._clock = clock
        self._who = who
        self._health = health
        self._journal = journal
        self._monitor = monitor
        self._node = node
        self._reports_elsewhere = reports_elsewhere
        self._hour = hour
        self._alerts = alerts

    async def read(self, *, orders: int = 12, trades: int = 12) -> Overview:
        """Return one look at everything.

        Raises:
            StorageUnavailable: the journal cannot be read now; ask again.
        """
        leases = await self._who.leases()
        nodes = await self._who.nodes(leases)
        health = merged(self._health.report, await asyncio.to_thread(self._reports_elsewhere))
        desks = await self.desks(leases, health)
        newest_trades = await self._rows("trades", trades)  # before positions, which then contain every one of them
        alerts = tuple(self._alerts())
        incidents = await self.incidents()
        return Overview(
            at_ns=self._clock.wall_ns(),
            served_by=self._node,
            verdict=judge(health, nodes, leases, desks, alerts, [one for one in incidents if one.node != self._node]),
            pos=await self._journal.look(),
            facts_per_s=round(self._journal.facts_per_s(), 1),
            nodes=nodes,
            leases=leases,
            desks=desks,
            positions=await self._rows("positions", POSITIONS),
            orders=await self._rows("orders", orders),
            trades=newest_trades,
            health=health,
            system=self._monitor.latest,
            hour=self._hour.curves() if self._hour is not None else (),
            alerts=alerts,
            incidents=incidents,
        )

    async def incidents(self) -> tuple[Incident, ...]:
        """Return every open incident of the newest, and the last few that are over; timelines are left to reports."""
        found = one_per_cause(await incidents_of(self._store, limit=INCIDENTS_READ))
        open_ones = [one for one in found if not one.is_over]
        over = [one for one in found if one.is_over][: max(0, INCIDENTS_SHOWN - len(open_ones))]
        return tuple(msgspec.structs.replace(one, timeline=()) for one in (*open_ones, *over))

    async def desks(
        self, leases: Sequence[LeaseLine] | None = None, health: HealthReport | None = None
    ) -> tuple[Row, ...]:
        """Return the desks, each with its lease; a desk that wrote nothing yet shows by its lease or its probe alone.

        `held_up` tells why nobody trades it, where this node knows.
        """
        leases = await self._who.leases() if leases is None else leases
        by_name = {lease.lease.removeprefix(DESK): lease for lease in leases if lease.lease.startswith(DESK)}
        report = health or self._health.report
        parts = {part.name.removeprefix(DESK): part for part in report.parts if part.name.startswith(DESK)}
        rows: dict[str, dict[str, Any]] = {name: {} for name in (*by_name, *parts)}
        for row in await self._store.rows("desks", limit=DESKS):
            value = _object(row)
            rows[str(value.get("desk", row.key))] = value
        for name, part in parts.items():
            lease = by_name.get(name)
            if (lease is None or lease.state != "held") and part.state is not HealthState.HEALTHY:
                rows[name]["held_up"] = part.reason
        return tuple({**rows[name], "desk": name, "lease": by_name.get(name)} for name in sorted(rows))

    async def _rows(self, projection: str, limit: int) -> tuple[Row, ...]:
        return tuple(_object(row) for row in await self._store.rows(projection, limit=limit))


def _object(row: ProjectionRow) -> dict[str, Any]:
    """What trading revives orders and trades from (`record`) is no part of a look."""
    value: dict[str, Any] = msgspec.json.decode(row.value)
    value.pop("record", None)
    return value
