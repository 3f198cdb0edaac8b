"""The escalator: climbs ladders on time that comes in as arguments; what it decides is facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from trading_orchestrator.perpetual_operations.alerts.escalation import facts as f
from trading_orchestrator.perpetual_operations.alerts.escalation.policy import (
    Contact,
    EscalationPolicy,
    EscalationRefused,
    People,
)
from trading_orchestrator.perpetual_operations.alerts.escalation.state import Cycle, Escalation, EscalationState


class Escalator:
    """One policy, its people and its heartbeat monitors (name → time-out in seconds).

    Every method returns the facts it decided, which its own state has taken in already. Law: append them before
    acting on them; if the append fails, throw the escalator away and fold a new one. Beats are not facts, so a new
    escalator gives every monitor that was well its whole time-out again (`start`).
    """

    def __init__(
        self,
        policy: EscalationPolicy,
        people: People,
        *,
        heartbeats_s: Mapping[str, float] | None = None,
        state: EscalationState | None = None,
    ) -> None:
        self.policy = policy
        self.people = people
        self.state = state or EscalationState()
        self._timeouts_ns = {name: round(seconds * 1e9) for name, seconds in (heartbeats_s or {}).items()}
        self.beats = {name: at_ns for name, at_ns in self.state.well.items() if name in self._timeouts_ns}
        self._decided: list[f.Body] = []

    # -- what happens to it

    def start(self, now_ns: int) -> None:
        """Take over: nobody could hear the beats before now, so every monitor has its whole time-out again."""
        self.hear_again(dict.fromkeys(self.beats, now_ns))

    def hear_again(self, beats: Mapping[str, int]) -> None:
        """Take the last beats from whoever heard them while no escalator was there."""
        self.beats.update({name: at_ns for name, at_ns in beats.items() if name in self.beats})

    def open(self, escalation_id: str, now_ns: int) -> Sequence[f.Body]:
        """Begin; what is open already goes on as it is."""
        if escalation_id not in self.state.open:
            self._decide(f.Opened(escalation_id=escalation_id, at_ns=now_ns))
        return self._taken()

    def acknowledge(self, escalation_id: str, by: str, now_ns: int, note: str = "") -> Sequence[f.Body]:
        """Stop climbing. On a multi-ack rung the others go on being called until they acknowledge too.

        Raises:
            EscalationRefused: it is not open, or acknowledged already and there is nothing left to quiet.
        """
        one = self._open(escalation_id)
        if one.is_acknowledged and not any(cycle.multi_ack for cycle in one.cycles):
            raise EscalationRefused(f"{escalation_id} is acknowledged already", escalation_id=escalation_id)
        self._decide(f.Acknowledged(escalation_id=escalation_id, at_ns=now_ns, by=by, note=note))
        return self._taken()

    def escalate(self, escalation_id: str, by: str, now_ns: int) -> Sequence[f.Body]:
        """Ask for the next rung now; an acknowledgement is taken back by it.

        Raises:
            EscalationRefused: it is not open, or maintenance goes on.
        """
        self._open(escalation_id)
        if now_ns < self.state.paused_until_ns:
            raise EscalationRefused("maintenance goes on: nothing is escalated", escalation_id=escalation_id)
        self._decide(f.Asked(escalation_id=escalation_id, at_ns=now_ns, by=by))
        return self._taken()

    def close(self, escalation_id: str, by: str, now_ns: int) -> Sequence[f.Body]:
        """End it; nobody is called any more. Closing what is not open does nothing."""
        if escalation_id in self.state.open:
            self._decide(f.Closed(escalation_id=escalation_id, at_ns=now_ns, by=by))
        return self._taken()

    def pause(self, until_ns: int, now_ns: int) -> Sequence[f.Body]:
        """Begin maintenance, move its end, or end it (`until_ns` not after now)."""
        self._decide(f.Paused(at_ns=now_ns, until_ns=until_ns))
        return self._taken()

    def beat(self, monitor: str, now_ns: int) -> Sequence[f.Body]:
        """A monitored program lives. The first beat arms the monitor, one after a missed one closes its escalation.

        Raises:
            EscalationRefused: no monitor has this name.
        """
        if monitor not in self._timeouts_ns:
            known = sorted(self._timeouts_ns)
            raise EscalationRefused(f"no heartbeat monitor is named {monitor!r}; known: {known}", escalation_id=monitor)
        self.beats[monitor] = now_ns
        if monitor not in self.state.well:
            was_missed = monitor in self.state.missed
            self._decide(f.HeartbeatSeen(monitor=monitor, at_ns=now_ns))
            if was_missed and monitor in self.state.open:
                self._decide(f.Closed(escalation_id=monitor, at_ns=now_ns, by="heartbeat"))
        return self._taken()

    def advance(self, now_ns: int) -> Sequence[f.Body]:
        """Do what is due by now: missed heartbeats, rungs, and each person's own contacts, bundled."""
        for monitor in [name for name in self.beats if self._missed_at_ns(name) <= now_ns]:
            del self.beats[monitor]
            self._decide(f.HeartbeatMissed(monitor=monitor, at_ns=now_ns))
            if monitor not in self.state.open:
                self._decide(f.Opened(escalation_id=monitor, at_ns=now_ns))
        for one in list(self.state.open.values()):
            rung_at_ns = self._rung_at_ns(one)
            if rung_at_ns is not None and rung_at_ns <= now_ns:
                self._climb(one, now_ns)
        self._contact(now_ns)
        return self._taken()

    # -- what it says

    def next_due_ns(self) -> int | None:
        """Return when `advance` has something to do next; a time in the past is at once."""
        times = [self._missed_at_ns(name) for name in self.beats]
        for one in self.state.open.values():
            rung_at_ns = self._rung_at_ns(one)
            times += [] if rung_at_ns is None else [rung_at_ns]
            times += [at_ns for cycle in one.cycles for at_ns, _ in self._contacts_left(cycle)]
        return min(times, default=None)

    # -- how it decides

    def _decide(self, body: f.Body) -> None:
        self.state.apply(body)
        self._decided.append(body)

    def _taken(self) -> Sequence[f.Body]:
        decided, self._decided = self._decided, []
        return decided

    def _open(self, escalation_id: str) -> Escalation:
        one = self.state.open.get(escalation_id)
        if one is None:
            raise EscalationRefused(f"{escalation_id} is not open", escalation_id=escalation_id)
        return one

    def _missed_at_ns(self, monitor: str) -> int:
        return self.beats[monitor] + self._timeouts_ns[monitor]

    def _rung_at_ns(self, one: Escalation) -> int | None:
        """Return when the next rung is due, not before maintenance ends; None while nobody else is to be called."""
        if one.is_asked_on:
            return self.state.paused_until_ns
        if one.is_acknowledged:
            return None
        due_ns = one.opened_ns if one.step is None else one.next_at_ns
        return None if due_ns is None else max(due_ns, self.state.paused_until_ns)

    def _climb(self, one: Escalation, now_ns: int) -> None:
        """Reach the next rung that has somebody to call; one without is skipped at once, each at most once."""
        for _ in self.policy.steps:
            step = 0 if one.step is None else self.policy.after(one.step, one.loops, is_forced=one.is_asked_on)
            if step is None:
                self._decide(f.Ended(escalation_id=one.escalation_id, at_ns=now_ns))
                return
            rung = self.policy.steps[step]
            people = tuple(target for target in rung.targets if self.people.get(target))
            self._decide(
                f.Stepped(
                    escalation_id=one.escalation_id,
                    at_ns=now_ns,
                    step=step,
                    loops=one.loops + (one.step is not None and one.step + 1 >= len(self.policy.steps)),
                    next_at_ns=now_ns + round(rung.delay_s * 1e9),
                    people=people,
                    multi_ack=rung.multi_ack,
                )
            )
            if people:
                return

    def _contact(self, now_ns: int) -> None:
        """Whoever is due on a channel hears about everything at once, in one message."""
        due: dict[tuple[str, str], dict[str, None]] = {}
        for one in self.state.open.values():
            for cycle in one.cycles:
                for at_ns, contact in self._contacts_left(cycle):
                    if at_ns <= now_ns:
                        due.setdefault((cycle.person, contact.channel), {})[one.escalation_id] = None
        for (person, channel), escalations in due.items():
            self._decide(
                f.ContactDue(
                    contact_id=f"contact-{self.state.contact_count + 1}",
                    at_ns=now_ns,
                    to=person,
                    channel=channel,
                    escalations=tuple(escalations),
                )
            )

    def _contacts_left(self, cycle: Cycle) -> Iterator[tuple[int, Contact]]:
        for contact in self.people.get(cycle.person, ()):
            at_ns = cycle.since_ns + round(contact.delay_s * 1e9)
            if cycle.done_ns is None or at_ns > cycle.done_ns:
                yield at_ns, contact
