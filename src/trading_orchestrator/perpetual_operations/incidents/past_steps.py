"""Which steps were taken for a part lately, on whichever node: what a ladder may use is counted over restarts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from trading_orchestrator.perpetual_operations.incidents import facts as f
from trading_orchestrator.perpetual_operations.incidents.incident import PROJECTION, Incident
from trading_orchestrator.storage.ports import Fact, FactStore

PAGE = 500
PAGES_MOST = 40


async def steps_taken(
    store: FactStore, part: str, since_ns: int, counts: Callable[[str], bool]
) -> Sequence[tuple[str, int]]:
    """Return action and time (UTC ns) of each step begun for the part since then, newest first.

    Args:
        counts: whether the steps of a node are to be counted.

    Raises whatever the store raises.
    """
    part_of: dict[str, str] = {}
    taken: list[tuple[str, int]] = []
    for fact in await _since(store, since_ns):
        if fact.kind != f.StepStarted.kind or not counts(fact.node):
            continue
        body = msgspec.json.decode(fact.body, type=f.StepStarted)
        if body.incident_id not in part_of:
            row = await store.row(PROJECTION, body.incident_id)
            part_of[body.incident_id] = "" if row is None else msgspec.json.decode(row.value, type=Incident).part
        if part_of[body.incident_id] == part and body.at_ns >= since_ns:
            taken.append((body.action, body.at_ns))
    return taken


async def _since(store: FactStore, since_ns: int) -> Sequence[Fact]:
    """Return facts of incidents since then, newest first; of a storm of them the newest 20,000."""
    found: list[Fact] = []
    for _ in range(PAGES_MOST):
        page = await store.read_before(stream=f.STREAM, before_pos=found[-1].pos if found else None, limit=PAGE)
        found += page
        if len(page) < PAGE or page[-1].at_ns < since_ns:
            break
    return found
