"""One incident per root cause also across nodes: what several nodes share fails for all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

import msgspec

from trading_orchestrator.perpetual_operations.incidents import facts as f
from trading_orchestrator.perpetual_operations.incidents.incident import PROJECTION, Incident
from trading_orchestrator.storage.ports import FactStore

SHARED = ("journal", "database", "database/*", "broker/*", "dependency/*", "standby")
"""Parts whose name means the same thing on every node of one journal; each node looks at it with its own eyes."""
OF_THE_HOST = ("cpu", "memory", "disk", "clock")
"""What all nodes of a host share, too: the one that serves the console watches it for all."""
MOVING = ("desk/*", "strategy/*")
"""Parts that one node at a time runs, and that move with a lease."""
LOOKED_BACK = 500
APART_NS = 5_000_000_000
"""Nodes notice in different rounds, and one may see the end before another has seen the beginning."""


def is_shared(part: str) -> bool:
    """Return whether other nodes watch the very same thing under this name."""
    return any(fnmatchcase(part, pattern) for pattern in SHARED)


def outlives_its_node(part: str) -> bool:
    """Return whether a part is the same thing on the node that comes next, so that its incident goes on there."""
    return is_shared(part) or part in OF_THE_HOST or any(fnmatchcase(part, pattern) for pattern in MOVING)


async def root_of(
    store: FactStore, incident: Incident, opened_pos: int, is_gone: Callable[[str], bool]
) -> Incident | None:
    """Return another node's incident with the same cause: the one that was journaled first, None when it is this one.

    The order of the journal is the same for all, so that two nodes never take each other for the first.

    Args:
        opened_pos: where this incident's beginning stands in the journal.
    """
    page = await store.read_before(stream=f.STREAM, before_pos=opened_pos, limit=LOOKED_BACK)
    for fact in page:
        if fact.kind != f.Opened.kind:
            continue
        body = msgspec.json.decode(fact.body, type=f.Opened)
        row = await store.row(PROJECTION, body.incident_id) if body.part == incident.part else None
        if row is None:
            continue
        other = msgspec.json.decode(row.value, type=Incident)  # whose it is now: it may have outlived its first node
        if other.node == incident.node or (other.node and is_gone(other.node)):
            continue
        if other.state != "merged" and not other.same_cause_as and _overlap(other, incident):
            return other
    return None


def one_per_cause(incidents: Iterable[Incident]) -> Sequence[Incident]:
    """Return the incidents without those that another node's stands for."""
    return [one for one in incidents if not one.same_cause_as]


def _overlap(other: Incident, incident: Incident) -> bool:
    ends_ns = other.ended_ns or incident.opened_ns
    begins_ns = incident.opened_ns - APART_NS
    return ends_ns >= begins_ns and other.opened_ns <= (incident.ended_ns or other.opened_ns) + APART_NS
