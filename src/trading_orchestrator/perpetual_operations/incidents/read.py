"""Incidents of every node, as the journal has them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from trading_orchestrator.perpetual_operations.incidents.incident import PROJECTION, Incident
from trading_orchestrator.perpetual_operations.incidents.incident_log import IncidentUnknown
from trading_orchestrator.storage.ports import FactStore


async def incidents_of(store: FactStore, *, limit: int = 100) -> Sequence[Incident]:
    """Return up to `limit` incidents, those that changed last first."""
    return [msgspec.json.decode(row.value, type=Incident) for row in await store.rows(PROJECTION, limit=limit)]


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
