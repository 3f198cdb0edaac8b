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
    """One escalation. `step` None: the first rung is still to be reached.

    `quiet_until_ns`: when its acknowledgement or snooze is over, if ever. `quiet_by`: whose it is.
    `nobody`: targets behind which nobody was found, and when last.
    """

    escalation_id: str
    opened_ns: int
    policy: str = ""
    step: int | None = None
    loops: int = 0
    next_at_ns: int | None = None
    is_acknowledged: bool = False
    is_asked_on: bool = False
    is_snoozed: bool = False
    quiet_until_ns: int | None = None
    quiet_by: str = ""
    is_muted: bool = False
    nobody: dict[str, int] = field(default_factory=dict)
    cycles: list[Cycle] = field(default_factory=list)

    @property
    def has_ended(self) -> bool:
        """Return whether nobody else will be called unless somebody asks."""
        return self.step is not None and self.next_at_ns is None

    def begin_anew(self, at_ns: int) -> None:
        """Go back to the ground, with nobody called and nobody who has it."""
        self.step, self.loops, self.opened_ns, self.next_at_ns = None, 0, at_ns, None
        self.is_acknowledged = self.is_snoozed = self.is_asked_on = False
        self.quiet_until_ns, self.quiet_by, self.cycles = None, "", []


@dataclass
class EscalationState:
    """The fold. It needs no policy: every decision is in the facts."""

    open: dict[str, Escalation] = field(default_factory=dict)
    paused_until_ns: int = 0
    pause: f.Paused | None = None
    contact_count: int = 0
    overrides: dict[str, f.OverrideSet] = field(default_factory=dict)

    def apply(self, body: f.Body) -> None:
        """Take one fact in."""
        _TAKES_IN[type(body)](self, body)

    def _opened(self, body: f.Opened) -> None:
        self.open[body.escalation_id] = Escalation(body.escalation_id, body.at_ns, body.policy)

    def _stepped(self, body: f.Stepped) -> None:
        one = self.open[body.escalation_id]
        one.step, one.loops, one.next_at_ns = body.step, body.loops, body.next_at_ns
        one.is_asked_on = one.is_acknowledged = one.is_snoozed = False
        one.quiet_until_ns, one.quiet_by = None, ""
        one.cycles += [Cycle(person, body.at_ns, body.multi_ack) for person in body.people]

    def _ended(self, body: f.Ended) -> None:
        self.open[body.escalation_id].next_at_ns = None

    def _acknowledged(self, body: f.Acknowledged) -> None:
        one = self.open[body.escalation_id]
        one.is_acknowledged, one.is_snoozed = True, False
        one.quiet_until_ns, one.quiet_by = body.until_ns, body.by
        one.cycles = [cycle for cycle in one.cycles if cycle.multi_ack and cycle.person != body.by]

    def _snoozed(self, body: f.Snoozed) -> None:
        one = self.open[body.escalation_id]
        one.is_acknowledged, one.is_snoozed = True, True
        one.quiet_until_ns, one.quiet_by = body.until_ns, body.by
        one.is_asked_on, one.cycles = False, []

    def _resumed(self, body: f.Resumed) -> None:
        one = self.open[body.escalation_id]
        one.is_acknowledged, one.is_snoozed, one.cycles = False, False, []
        one.quiet_until_ns, one.quiet_by = None, ""
        if body.from_start or one.step in {None, 0}:
            one.step, one.loops, one.opened_ns = None, 0 if body.from_start else one.loops, body.at_ns
        else:
            assert one.step is not None
            one.step, one.next_at_ns = one.step - 1, body.at_ns

    def _reopened(self, body: f.Reopened) -> None:
        self.open[body.escalation_id].begin_anew(body.at_ns)

    def _muted(self, body: f.Muted) -> None:
        self.open[body.escalation_id].is_muted = True

    def _unmuted(self, body: f.Unmuted) -> None:
        one = self.open[body.escalation_id]
        one.is_muted = False
        if not one.is_acknowledged:
            one.begin_anew(body.at_ns)

    def _nobody(self, body: f.NobodyFound) -> None:
        self.open[body.escalation_id].nobody[body.target] = body.at_ns

    def _asked(self, body: f.Asked) -> None:
        self.open[body.escalation_id].is_asked_on = True

    def _closed(self, body: f.Closed) -> None:
        del self.open[body.escalation_id]

    def _paused(self, body: f.Paused) -> None:
        self.paused_until_ns, self.pause = body.until_ns, body

    def _contact(self, body: f.ContactDue) -> None:
        self.contact_count += 1
        for escalation_id in body.escalations:
            for cycle in self.open[escalation_id].cycles:
                if cycle.person == body.to:
                    cycle.done_ns = body.at_ns

    def _override(self, body: f.OverrideSet) -> None:
        self.overrides[body.override_id] = body

    def _override_ended(self, body: f.OverrideEnded) -> None:
        self.overrides.pop(body.override_id, None)


_TAKES_IN: dict[type[f.Body], Callable[[EscalationState, Any], None]] = {
    f.Opened: EscalationState._opened,
    f.Stepped: EscalationState._stepped,
    f.Ended: EscalationState._ended,
    f.Acknowledged: EscalationState._acknowledged,
    f.Snoozed: EscalationState._snoozed,
    f.Resumed: EscalationState._resumed,
    f.Reopened: EscalationState._reopened,
    f.Muted: EscalationState._muted,
    f.Unmuted: EscalationState._unmuted,
    f.NobodyFound: EscalationState._nobody,
    f.Asked: EscalationState._asked,
    f.Closed: EscalationState._closed,
    f.Paused: EscalationState._paused,
    f.ContactDue: EscalationState._contact,
    f.OverrideSet: EscalationState._override,
    f.OverrideEnded: EscalationState._override_ended,
}


def folded(bodies: Iterable[f.Body]) -> EscalationState:
    """Return the state that the facts make."""
    state = EscalationState()
    for body in bodies:
        state.apply(body)
    return state
