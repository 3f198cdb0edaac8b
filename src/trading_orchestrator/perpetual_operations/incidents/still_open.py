"""Every incident that is under way by the journal, whoever opened it: a look reads only what changed since the last."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from trading_orchestrator.perpetual_operations.incidents.incident import PROJECTION, Incident
from trading_orchestrator.storage.ports import FactStore, ProjectionRow

PAGE = 50
UNDER_WAY = (b'"state":"open"', b'"state":"exhausted"')


class StillOpen:
    """Use from one event loop. The first look reads every row once; a later one reads one while nothing changed."""

    def __init__(self, store: FactStore) -> None:
        self._store = store
        self._open: dict[str, Incident] = {}
        self._seen_pos = 0
        self._looking = asyncio.Lock()

    async def look(self) -> Sequence[Incident]:
        """Return all that are not over, oldest first. Raises whatever the store raises."""
        async with self._looking:
            for row in reversed(await self._changed()):
                self._open.pop(row.key, None)
                if any(state in row.value for state in UNDER_WAY):
                    self._open[row.key] = msgspec.json.decode(row.value, type=Incident)
                self._seen_pos = max(self._seen_pos, row.pos)
        return sorted((one for one in self._open.values() if not one.is_over), key=lambda one: one.opened_ns)

    async def _changed(self) -> Sequence[ProjectionRow]:
        """Return the rows above the highest place seen, newest first; what moves up meanwhile is seen the next time."""
        found: list[ProjectionRow] = []
        before_pos: int | None = None
        limit = 1
        while page := await self._store.rows(PROJECTION, before_pos=before_pos, limit=limit):
            found += [row for row in page if row.pos > self._seen_pos]
            before_pos = page[-1].pos
            if len(page) < limit or before_pos <= self._seen_pos:
                break
            limit = PAGE
        return found
