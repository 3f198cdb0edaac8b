"""Incidents of every node, as the journal has them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from trading_orchestrator.perpetual_operations.incidents.incident import PROJECTION, Incident
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentUnknown
from trading_orchestrator.storage.ports import FactStore

PAGE = 1000
COUNTED_MOST = 20_000


async def incidents_of(store: FactStore, *, limit: int = 100) -> Sequence[Incident]:
    """Return up to `limit` incidents, those that changed last first."""
    return [msgspec.json.decode(row.value, type=Incident) for row in await store.rows(PROJECTION, limit=limit)]


async def many_incidents(store: FactStore, *, most: int = COUNTED_MOST) -> Sequence[Incident]:
    """Return the newest incidents of every node, read in pages: for counting, not for showing."""
    found: dict[str, Incident] = {}
    before_pos: int | None = None
    while len(found) < most:
        page = await store.rows(PROJECTION, before_pos=before_pos, limit=PAGE)
        known = len(found)
        found |= {row.key: msgspec.json.decode(row.value, type=Incident) for row in page}
        if len(page) < PAGE or len(found) == known:
            break
        before_pos = page[-1].pos + 1  # rows of one append stand at one place: begin there again
    return list(found.values())[:most]


async def incident_of(store: FactStore, incident_id: str) -> Incident:
    """Return one incident; the first characters of an id are enough when they name one only.

    Raises:
        IncidentUnknown: none, or more than one of the newest, begins so.
    """
    row = await store.row(PROJECTION, incident_id)
    if row is not None:
        return msgspec.json.decode(row.value, type=Incident)
    found = [one for one in await incidents_of(store, limit=1000) if one.incident_id.startswith(incident_id)]
    if len(found) != 1:
        many = f"{len(found)} incidents begin with" if found else "no incident begins with"
        raise IncidentUnknown(f"{many} {incident_id!r}: see `incidents list`", incident_id=incident_id)
    return found[0]
