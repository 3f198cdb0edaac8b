"""What the engine decides: facts that its state has taken in, and when each group speaks next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.dues import Dues, groups_timed_by
from trading_orchestrator.perpetual_operations.alerts.group import Group
from trading_orchestrator.perpetual_operations.alerts.sizing import within_size
from trading_orchestrator.perpetual_operations.alerts.state import State

FEW_GROUPS = 5


class Decisions:
    """The facts of one turn, in order. Use from one event loop.

    `ticks`: when a group looks again whose last flush changed nothing; no fact, because losing it is harmless.
    `dues`: note every group there whose tick was set or dropped.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.ticks: dict[str, int] = {}
        self.dues = Dues(self._due_of, state.groups)
        self._decided: list[f.Body] = []

    def decide(self, body: f.Body) -> None:
        """Let the state take it in, and keep it for the record."""
        timed = groups_timed_by(self.state, body)
        self.state.apply(body)
        for group_id in timed:
            self.dues.note(group_id)
        self.add(body)

    def add(self, body: f.Body) -> None:
        """Keep for the record what the state has taken in already."""
        self._decided += within_size(body)

    def open_together(self) -> None:
        """Say in few facts which groups were opened in this turn."""
        self._decided = list(_opened_together(self._decided))

    def taken(self) -> Sequence[f.Body]:
        """Return what was decided, and begin anew."""
        decided, self._decided = self._decided, []
        return decided

    def due_ns(self, group: Group) -> int:
        """Return when the group speaks next, or when its message on its way is given up."""
        if group.in_flight is not None:
            return self.ticks.get(group.group_id, self.state.outbox[group.in_flight].message.deadline_ns)
        return self.ticks.get(group.group_id, group.due_ns)

    def _due_of(self, group_id: str) -> int | None:
        group = self.state.groups.get(group_id)
        return None if group is None else self.due_ns(group)


def _opened_together(decided: Sequence[f.Body]) -> Iterator[f.Body]:
    """A storm opens groups by the thousand: as many facts cost ten times what they say."""
    opened = tuple(body for body in decided if isinstance(body, f.GroupOpened))
    if len(opened) < FEW_GROUPS:
        yield from decided
        return
    yield from within_size(f.GroupsOpened(groups=opened))
    yield from (body for body in decided if not isinstance(body, f.GroupOpened))
