"""What is being escalated, folded from the facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from trading_orchestrator.perpetual_operations.alerts.escalation import facts as f


@dataclass
class Cycle:
    """One person's own ladder of contacts since a rung was reached. `done_ns`: up to when it has been climbed."""

    person: str
    since_ns: int
    multi_ack: bool
    done_ns: int | None = None


@dataclass
class Escalation:
    """One escalation. `step` None: the first rung is still to be reached."""

    escalation_id: str
    opened_ns: int
    step: int | None = None
    loops: int = 0
    next_at_ns: int | None = None
    is_acknowledged: bool = False
    is_asked_on: bool = False
    cycles: list[Cycle] = field(default_factory=list)


@dataclass
class EscalationState:
    """The fold. It needs no policy: every decision is in the facts."""

    open: dict[str, Escalation] = field(default_factory=dict)
    paused_until_ns: int = 0
    contact_count: int = 0
    well: dict[str, int] = field(default_factory=dict)
    missed: dict[str, None] = field(default_factory=dict)

    def apply(self, body: f.Body) -> None:
        """Take one fact in."""
        _TAKES_IN[type(body)](self, body)

    def _opened(self, body: f.Opened) -> None:
        self.open[body.escalation_id] = Escalation(body.escalation_id, body.at_ns)

    def _stepped(self, body: f.Stepped) -> None:
        one = self.open[body.escalation_id]
        one.step, one.loops, one.next_at_ns = body.step, body.loops, body.next_at_ns
        one.is_asked_on = one.is_acknowledged = False
        one.cycles += [Cycle(person, body.at_ns, body.multi_ack) for person in body.people]

    def _ended(self, body: f.Ended) -> None:
        self.open[body.escalation_id].next_at_ns = None

    def _acknowledged(self, body: f.Acknowledged) -> None:
        one = self.open[body.escalation_id]
        one.is_acknowledged = True
        one.cycles = [cycle for cycle in one.cycles if cycle.multi_ack and cycle.person != body.by]

    def _asked(self, body: f.Asked) -> None:
        self.open[body.escalation_id].is_asked_on = True

    def _closed(self, body: f.Closed) -> None:
        del self.open[body.escalation_id]

    def _paused(self, body: f.Paused) -> None:
        self.paused_until_ns = body.until_ns

    def _contact(self, body: f.ContactDue) -> None:
        self.contact_count += 1
        for escalation_id in body.escalations:
            for cycle in self.open[escalation_id].cycles:
                if cycle.person == body.to:
                    cycle.done_ns = body.at_ns

    def _seen(self, body: f.HeartbeatSeen) -> None:
        self.well[body.monitor] = body.at_ns
        self.missed.pop(body.monitor, None)

    def _missed(self, body: f.HeartbeatMissed) -> None:
        del self.well[body.monitor]
        self.missed[body.monitor] = None


_TAKES_IN: dict[type[f.Body], Callable[[EscalationState, Any], None]] = {
    f.Opened: EscalationState._opened,
    f.Stepped: EscalationState._stepped,
    f.Ended: EscalationState._ended,
    f.Acknowledged: EscalationState._acknowledged,
    f.Asked: EscalationState._asked,
    f.Closed: EscalationState._closed,
    f.Paused: EscalationState._paused,
    f.ContactDue: EscalationState._contact,
    f.HeartbeatSeen: EscalationState._seen,
    f.HeartbeatMissed: EscalationState._missed,
}


def folded(bodies: Iterable[f.Body]) -> EscalationState:
    """Return the state that the facts make."""
    state = EscalationState()
    for body in bodies:
        state.apply(body)
    return state
