"""Nodes and leases as an operator sees them: who holds what since when, and who stands by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.console.claims import Claim, ClaimLog
from trading_orchestrator.perpetual_operations.incidents.incident_log import LEASES
from trading_orchestrator.storage.ports import FactStore, LeaseRow

NODES_READ = 32
NODES_SHOWN = 6
THERE = ("started", "ready")


class NodeLine(msgspec.Struct, frozen=True):
    """A node: `state` is started, ready, left or dead; `holds` the leases it acts under."""

    node: str
    state: str
    pid: int
    release: str
    since_ns: int
    holds: tuple[str, ...]


class LeaseLine(msgspec.Struct, frozen=True):
    """A lease: `state` is held, expired or free; `since_ns` is 0 while its claim is not in the journal yet."""

    lease: str
    holder: str
    epoch: int
    state: str
    since_ns: int
    succession: str
    took_ms: float


class WhoHolds:
    """Reads leases and nodes through the store; no knowledge of this process is used. One event loop.

    is_alive: whether a node's process is known to live (its incarnation lock is held).
    """

    def __init__(self, store: FactStore, clock: Clock, *, boot_id: str, is_alive: Callable[[str], bool]) -> None:
        self._store = store
        self._clock = clock
        self._boot_id = boot_id
        self._is_alive = is_alive
        self._claims = ClaimLog(store)

    async def leases(self) -> tuple[LeaseLine, ...]:
        """Return every lease that gives a right to act, by name, with its newest claim; a node's own is none."""
        claims = await self._claims.newest()
        shown = (row for row in await self._store.leases() if not row.name.startswith(LEASES))
        rows = sorted(shown, key=lambda row: row.name)
        return tuple(self._lease(row, claims.get(row.name)) for row in rows)

    async def nodes(self, leases: Sequence[LeaseLine]) -> tuple[NodeLine, ...]:
        """Return the nodes: those that are there first, then the newest of those that are gone."""
        rows = await self._store.rows("nodes", limit=NODES_READ)
        lines = [self._node(msgspec.json.decode(row.value), leases) for row in rows]
        there = sorted((line for line in lines if line.state in THERE), key=lambda line: line.node)
        gone = [line for line in lines if line.state not in THERE]
        return tuple(there + gone[: max(0, NODES_SHOWN - len(there))])

    def _lease(self, row: LeaseRow, claim: Claim | None) -> LeaseLine:
        known = claim if claim is not None and claim.epoch == row.epoch else Claim(row.name, row.epoch)
        return LeaseLine(
            lease=row.name,
            holder=row.holder,
            epoch=row.epoch,
            state=self._state(row),
            since_ns=known.at_ns,
            succession=known.succession,
            took_ms=known.took_ms,
        )

    def _state(self, row: LeaseRow) -> str:
        if row.expires_ns == 0:
            return "free"
        current = row.boot_id == self._boot_id and self._clock.boot_ns() < row.expires_ns
        return "held" if current else "expired"

    def _node(self, value: dict[str, Any], leases: Sequence[LeaseLine]) -> NodeLine:
        node, said = str(value.get("node", "?")), str(value.get("state", "?"))
        died = said in THERE and not self._is_alive(node)
        held = (lease.lease for lease in leases if lease.holder == node and lease.state == "held")
        return NodeLine(
            node=node,
            state="dead" if died else said,
            pid=int(value.get("pid", 0)),
            release=str(value.get("release", "")),
            since_ns=int(value.get("at_ns", 0)),
            holds=() if died else tuple(held),
        )
