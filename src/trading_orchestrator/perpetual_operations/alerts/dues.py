"""When each group speaks next, soonest first: a turn looks at the groups that are due, not at all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush
from typing import Any

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.state import State


class Dues:
    """Law: `note` every group whose time may have changed. `due_of` returns when one is due, None when it is gone."""

    def __init__(self, due_of: Callable[[str], int | None], groups: Iterable[str]) -> None:
        self._due_of = due_of
        self._known: dict[str, int] = {}
        self._soonest: list[tuple[int, str]] = []
        for group_id in groups:
            self.note(group_id)

    def note(self, group_id: str) -> None:
        """Look at a group's time again."""
        due_ns = self._due_of(group_id)
        if due_ns is None:
            self._known.pop(group_id, None)
        elif self._known.get(group_id) != due_ns:
            self._known[group_id] = due_ns
            heappush(self._soonest, (due_ns, group_id))

    def take(self, now_ns: int) -> list[str]:
        """Return the groups that are due, the longest due first; note each again when it has had its turn."""
        found = []
        while self._soonest and self._soonest[0][0] <= now_ns:
            due_ns, group_id = heappop(self._soonest)
            if self._known.get(group_id) == due_ns:
                del self._known[group_id]
                found.append(group_id)
        return found

    def next_ns(self) -> int | None:
        """Return when the next group is due."""
        while self._soonest:
            due_ns, group_id = self._soonest[0]
            if self._known.get(group_id) == due_ns:
                return due_ns
            heappop(self._soonest)
        return None


def groups_timed_by(state: State, body: f.Body) -> Iterable[str]:
    """Return the groups whose time this fact changes; ask before the state takes it in."""
    asked = _TIMES.get(type(body))
    return () if asked is None else asked(state, body)


def _ended(state: State, body: f.NotificationDelivered | f.NotificationDropped) -> Iterable[str]:
    return state.outbox[body.notification_id].group_ids()


_TIMES: Mapping[type[f.Body], Callable[[State, Any], Iterable[str]]] = {
    f.GroupOpened: lambda state, body: (body.group_id,),
    f.GroupTimed: lambda state, body: (body.group_id,),
    f.GroupFlushed: lambda state, body: (body.group_id,),
    f.NotificationDue: lambda state, body: () if body.digest_of else (body.group_id,),
    f.NotificationListed: lambda state, body: [part.group_id for part in body.groups],
    f.NotificationDelivered: _ended,
    f.NotificationDropped: _ended,
    f.EngineStarted: lambda state, body: [held.group_id for held in body.held],
    f.Swept: lambda state, body: body.groups,
}
