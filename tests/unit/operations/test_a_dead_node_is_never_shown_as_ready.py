"""A node's own last word is READY even when it was killed: the page asks whether its process lives."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tests.unit.operations.empty_store import EmptyStore
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.perpetual_operations.console.who_holds import NODES_SHOWN, WhoHolds
from trading_orchestrator.storage.ports import LeaseRow, ProjectionRow

BOOT = "this boot"


class ClusterStore(EmptyStore):
    """Nodes that all said READY, and leases."""

    def __init__(self, nodes: Sequence[str], leases: Sequence[LeaseRow] = ()) -> None:
        self._nodes = nodes
        self._leases = leases

    async def rows(
        self, projection: str, *, before_pos: int | None = None, limit: int = 100
    ) -> Sequence[ProjectionRow]:
        said = [{"node": node, "state": "ready", "pid": 1, "release": "1", "at_ns": 5} for node in self._nodes]
        return [ProjectionRow(str(row["node"]), msgspec.json.encode(row), 1) for row in said]

    async def leases(self) -> Sequence[LeaseRow]:
        return self._leases


def who(store: ClusterStore, clock: VirtualClock, *living: str) -> WhoHolds:
    return WhoHolds(store, clock, boot_id=BOOT, is_alive=lambda node: node in living)


async def test_a_killed_holder_is_dead_and_holds_nothing() -> None:
    clock = VirtualClock()
    lease = LeaseRow("desk/practice", "a", 3, clock.boot_ns() + 10**9, BOOT)
    reader = who(ClusterStore(["a", "b"], [lease]), clock, "b")

    nodes = await reader.nodes(await reader.leases())

    assert [("b", "ready", ()), ("a", "dead", ())] == [(node.node, node.state, node.holds) for node in nodes]


async def test_the_dead_of_a_long_run_do_not_crowd_out_the_living() -> None:
    reader = who(ClusterStore([f"old-{number}" for number in range(20)] + ["a", "b"]), VirtualClock(), "a", "b")

    nodes = await reader.nodes(())

    assert ["a", "b"] == [node.node for node in nodes if node.state == "ready"]
    assert NODES_SHOWN == len(nodes)


async def test_a_lease_is_held_expired_or_free() -> None:
    clock = VirtualClock()
    later_ns, earlier_ns = clock.boot_ns() + 1, clock.boot_ns()
    rows = [
        LeaseRow("a", "x", 1, later_ns, BOOT),
        LeaseRow("b", "x", 1, earlier_ns, BOOT),
        LeaseRow("c", "x", 1, later_ns, "another boot"),
        LeaseRow("d", "x", 1, 0, BOOT),
    ]

    leases = await who(ClusterStore([], rows), clock).leases()

    assert ["held", "expired", "expired", "free"] == [lease.state for lease in leases]
