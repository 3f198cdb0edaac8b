"""The escalator: climbs ladders on time that comes in as arguments; what it decides is facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from trading_orchestrator.perpetual_operations.alerts.escalation import facts as f
from trading_orchestrator.perpetual_operations.alerts.escalation.on_call import NowAndNext, now_and_next, on_call
from trading_orchestrator.perpetual_operations.alerts.escalation.overrides import check_override, schedule_named
from trading_orchestrator.perpetual_operations.alerts.escalation.policy import (
    Contact,
    EscalationPolicy,
    EscalationRefused,
    People,
    target_of,
)
from trading_orchestrator.perpetual_operations.alerts.escalation.schedule import Schedule
from trading_orchestrator.perpetual_operations.alerts.escalation.state import Cycle, Escalation, EscalationState
from trading_orchestrator.perpetual_operations.alerts.lead import Lead


class Escalator:
    """Ladders and their people.

    `policy` is the ladder of whatever names none of `policies`; `schedules` say who is on call, by the wall clock:
    `lead` is how far ahead of it the time that comes in is.

    Every method returns the facts it decided, which its own state has taken in already. Law: append them before
    acting on them; if the append fails, throw the escalator away and fold a new one.
    """

    def __init__(
        self,
        policy: EscalationPolicy,
        people: People,
        *,
        state: EscalationState | None = None,
        policies: Mapping[str, EscalationPolicy] | None = None,
        schedules: Mapping[str, Schedule] | None = None,
    ) -> None:
        self.policy = policy
        self.people = people
        self.policies = policies or {}
        self.schedules = schedules or {}
        self.state = state or EscalationState()
        self.lead = Lead()
        self._decided: list[f.Body] = []

    # -- what happens to it

    def open(self, escalation_id: str, now_ns: int, *, policy: str = "") -> Sequence[f.Body]:
        """Begin; what is open already goes on as it is."""
        if escalation_id not in self.state.open:
            self._decide(f.Opened(escalation_id=escalation_id, at_ns=now_ns, policy=policy))
        return self._taken()

    def reopen(self, escalation_id: str, now_ns: int) -> Sequence[f.Body]:
        """Begin anew, because something joined that nobody has taken; what climbs anyhow goes on as it is."""
        one = self.state.open.get(escalation_id)
        if one is not None and (one.is_acknowledged or one.has_ended):
            self._decide(f.Reopened(escalation_id=escalation_id, at_ns=now_ns))
        return self._taken()

    def acknowledge(
        self, escalation_id: str, by: str, now_ns: int, note: str = "", *, timeout_s: float | None = None
    ) -> Sequence[f.Body]:
        """Stop climbing. On a multi-ack rung the others go on being called until they acknowledge too.

        `timeout_s`: for so long; None is as the ladder says. Doing it again moves the end.

        Raises:
            EscalationRefused: it is not open, or acknowledged already and there is nothing left to quiet.
        """
        one = self._open(escalation_id)
        timeout_s = timeout_s or self._policy(one).acknowledge_timeout_s
        until_ns = None if timeout_s is None else now_ns + round(timeout_s * 1e9)
        is_taken = one.is_acknowledged and not one.is_snoozed and until_ns == one.quiet_until_ns
        if is_taken and not any(cycle.multi_ack for cycle in one.cycles):
            raise EscalationRefused(f"{escalation_id} is acknowledged already", escalation_id=escalation_id)
        self._decide(f.Acknowledged(escalation_id=escalation_id, at_ns=now_ns, by=by, note=note, until_ns=until_ns))
        return self._taken()

    def snooze(self, escalation_id: str, by: str, until_ns: int, now_ns: int, note: str = "") -> Sequence[f.Body]:
        """Call nobody until then; then begin at the first rung again unless it is closed.

        Raises:
            EscalationRefused: it is not open, or the time is over already.
        """
        self._open(escalation_id)
        if until_ns <= now_ns:
            raise EscalationRefused("expected the end of the snooze after now", escalation_id=escalation_id)
        self._decide(f.Snoozed(escalation_id=escalation_id, at_ns=now_ns, by=by, until_ns=until_ns, note=note))
        return self._taken()

    def escalate(self, escalation_id: str, by: str, now_ns: int, note: str = "") -> Sequence[f.Body]:
        """Ask for the next rung now; an acknowledgement is taken back by it.

        Raises:
            EscalationRefused: it is not open, it is muted, or maintenance goes on.
        """
        one = self._open(escalation_id)
        if now_ns < self.state.paused_until_ns:
            raise EscalationRefused("maintenance goes on: nothing is escalated", escalation_id=escalation_id)
        if one.is_muted:
            raise EscalationRefused("it is kept quiet: end that first", escalation_id=escalation_id)
        self._decide(f.Asked(escalation_id=escalation_id, at_ns=now_ns, by=by, note=note))
        return self._taken()

    def mute(self, escalation_id: str, now_ns: int) -> Sequence[f.Body]:
        """Call nobody, because all that it is about is kept quiet."""
        if not self._open(escalation_id).is_muted:
            self._decide(f.Muted(escalation_id=escalation_id, at_ns=now_ns))
        return self._taken()

    def unmute(self, escalation_id: str, now_ns: int) -> Sequence[f.Body]:
        """Begin anew unless a person has it: something that it is about is to be heard again."""
        if self._open(escalation_id).is_muted:
            self._decide(f.Unmuted(escalation_id=escalation_id, at_ns=now_ns))
        return self._taken()

    def close(self, escalation_id: str, by: str, now_ns: int) -> Sequence[f.Body]:
        """End it; nobody is called any more. Closing what is not open does nothing."""
        if escalation_id in self.state.open:
            self._decide(f.Closed(escalation_id=escalation_id, at_ns=now_ns, by=by))
        return self._taken()

    def pause(self, until_ns: int, now_ns: int, *, by: str = "", reason: str = "") -> Sequence[f.Body]:
        """Begin maintenance, move its end, or end it (`until_ns` not after now)."""
        self._decide(f.Paused(at_ns=now_ns, until_ns=until_ns, by=by, reason=reason))
        return self._taken()

    def override(self, override: f.OverrideSet) -> Sequence[f.Body]:
        """Put somebody on call besides or instead of another; one of the same id is replaced.

        Raises:
            ScheduleRefused: no schedule or no person has this name, or it ends before it begins.
        """
        check_override(override, self.schedules, self.people)
        self._decide(override)
        return self._taken()

    def end_override(self, override_id: str, by: str, now_ns: int) -> Sequence[f.Body]:
        """Take an override back; one that is not there does nothing."""
        if override_id in self.state.overrides:
            self._decide(f.OverrideEnded(override_id=override_id, at_ns=now_ns, by=by))
        return self._taken()

    def advance(self, now_ns: int) -> Sequence[f.Body]:
        """Do what is due by now: rungs, and each person's own contacts, bundled."""
        wall_ns = self.lead.wall_ns(now_ns)
        for override in [one for one in self.state.overrides.values() if one.ends_at_ns <= wall_ns]:
            self._decide(f.OverrideEnded(override_id=override.override_id, at_ns=now_ns))
        for one in list(self.state.open.values()):
            if one.quiet_until_ns is not None and one.quiet_until_ns <= now_ns:
                self._decide(f.Resumed(escalation_id=one.escalation_id, at_ns=now_ns, from_start=one.is_snoozed))
            rung_at_ns = self._rung_at_ns(one)
            if rung_at_ns is not None and rung_at_ns <= now_ns:
                self._climb(one, now_ns)
        self._contact(now_ns)
        return self._taken()

    # -- what it says

    def next_due_ns(self) -> int | None:
        """Return when `advance` has something to do next; a time in the past is at once."""
        times = [self.lead.own_ns(one.ends_at_ns) for one in self.state.overrides.values()]
        for one in self.state.open.values():
            times += [at_ns for at_ns in (self._rung_at_ns(one), one.quiet_until_ns) if at_ns is not None]
            times += self._contacts_at_ns(one)
        return min(times, default=None)

    def due(self, now_ns: int) -> list[str]:
        """Return the escalations for which `advance` may call somebody now."""
        found = []
        for name, one in self.state.open.items():
            times = (self._rung_at_ns(one), one.quiet_until_ns, *self._contacts_at_ns(one))
            if any(at_ns <= now_ns for at_ns in times if at_ns is not None):
                found.append(name)
        return found

    def is_called(self, person: str, escalations: Iterable[str]) -> bool:
        """Return whether one of these still wants this person."""
        several = (self.state.open.get(name) for name in escalations)
        return any(
            not one.is_muted and any(cycle.person == person for cycle in one.cycles)
            for one in several
            if one is not None
        )

    def maintenance(self, now_ns: int) -> f.Paused | None:
        """Return the maintenance that goes on."""
        until_ns, pause = self.state.paused_until_ns, self.state.pause
        if until_ns <= now_ns:
            return None
        return pause or f.Paused(at_ns=now_ns, until_ns=until_ns)

    def on_call(self, schedule: str, now_ns: int) -> NowAndNext:
        """Return who is on call now and next.

        Raises:
            ScheduleRefused: no schedule has this name.
        """
        return now_and_next(self.schedule(schedule), list(self.state.overrides.values()), self.lead.wall_ns(now_ns))

    def schedule(self, name: str) -> Schedule:
        """Return the schedule.

        Raises:
            ScheduleRefused: none has this name.
        """
        return schedule_named(name, self.schedules)

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

    def _rung_at_ns(self, one: Escalation) -> int | None:
        """Return when the next rung is due, not before maintenance ends; None while nobody else is to be called."""
        if one.is_muted:
            return None
        if one.is_asked_on:
            return self.state.paused_until_ns
        if one.is_acknowledged:
            return None
        due_ns = one.opened_ns if one.step is None else one.next_at_ns
        return None if due_ns is None else max(due_ns, self.state.paused_until_ns)

    def _climb(self, one: Escalation, now_ns: int) -> None:
        """Reach the next rung that has somebody to call; one without is skipped at once, each at most once."""
        policy = self._policy(one)
        for _ in policy.steps:
            last = None if one.step is None else min(one.step, len(policy.steps) - 1)
            step = 0 if last is None else policy.after(last, one.loops, is_forced=one.is_asked_on)
            if step is None:
                self._decide(f.Ended(escalation_id=one.escalation_id, at_ns=now_ns))
                return
            rung = policy.steps[step]
            called = {target: self._called(target, now_ns) for target in rung.targets}
            nobody = tuple(target for target, several in called.items() if not several)
            people = tuple(dict.fromkeys(person for several in called.values() for person in several))
            self._decide(
                f.Stepped(
                    escalation_id=one.escalation_id,
                    at_ns=now_ns,
                    step=step,
                    loops=one.loops + (last is not None and last + 1 >= len(policy.steps)),
                    next_at_ns=now_ns + round(rung.delay_s * 1e9),
                    people=people,
                    multi_ack=rung.multi_ack,
                    nobody=nobody,
                )
            )
            for target in nobody:
                self._say_nobody(one, step, target, now_ns)
            if people:
                return

    def _say_nobody(self, one: Escalation, step: int, target: str, now_ns: int) -> None:
        said = f.NobodyFound(
            escalation_id=one.escalation_id, at_ns=now_ns, policy=one.policy, rung=step + 1, target=target
        )
        self._decide(said)

    def _policy(self, one: Escalation) -> EscalationPolicy:
        """A ladder that the configuration has lost is the default one: somebody must be called."""
        return self.policies.get(one.policy, self.policy)

    def _called(self, target: str, now_ns: int) -> tuple[str, ...]:
        """Return who stands behind a target and can be called."""
        kind, name = target_of(target)
        if kind == "channel":
            return (target,)
        people: Sequence[str] = (name,)
        if kind == "schedule":
            schedule = self.schedules.get(name)
            wall_ns = self.lead.wall_ns(now_ns)
            people = () if schedule is None else on_call(schedule, self.state.overrides.values(), wall_ns)
        return tuple(person for person in people if self.people.get(person))

    def _contact(self, now_ns: int) -> None:
        """Whoever is due on a channel hears about everything at once, in one message."""
        due: dict[tuple[str, str], dict[str, None]] = {}
        for one in self.state.open.values():
            for cycle in () if one.is_muted else one.cycles:
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

    def _contacts_at_ns(self, one: Escalation) -> list[int]:
        cycles = () if one.is_muted else one.cycles
        return [at_ns for cycle in cycles for at_ns, _ in self._contacts_left(cycle)]

    def _contacts_left(self, cycle: Cycle) -> Iterator[tuple[int, Contact]]:
        kind, name = target_of(cycle.person)
        contacts = (Contact(channel=name),) if kind == "channel" else self.people.get(cycle.person, ())
        for contact in contacts:
            at_ns = cycle.since_ns + round(contact.delay_s * 1e9)
            if cycle.done_ns is None or at_ns > cycle.done_ns:
                yield at_ns, contact
