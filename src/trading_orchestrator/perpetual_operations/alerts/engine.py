"""The alert engine: pure, on time that comes in as arguments; what it decides is facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts import flapping
from trading_orchestrator.perpetual_operations.alerts.alert import Alert, merged, says_nothing_new
from trading_orchestrator.perpetual_operations.alerts.backoff import wait_ns
from trading_orchestrator.perpetual_operations.alerts.decisions import Decisions
from trading_orchestrator.perpetual_operations.alerts.flushing import Flushing
from trading_orchestrator.perpetual_operations.alerts.group import Group, first_due_ns, next_tick_ns
from trading_orchestrator.perpetual_operations.alerts.inhibit import Inhibitor
from trading_orchestrator.perpetual_operations.alerts.lead import Lead
from trading_orchestrator.perpetual_operations.alerts.policy import Policy
from trading_orchestrator.perpetual_operations.alerts.root_cause import DependsOn, RootCauseConfig, RootCauses
from trading_orchestrator.perpetual_operations.alerts.route import Route, Routing
from trading_orchestrator.perpetual_operations.alerts.silence import Silence, Silencer, SilenceRefused, ended
from trading_orchestrator.perpetual_operations.alerts.stages import (
    Explained,
    Flush,
    Inhibited,
    OutsideActiveTimes,
    Silenced,
    WithinMuteTimes,
)
from trading_orchestrator.perpetual_operations.alerts.state import Outgoing, State
from trading_orchestrator.perpetual_operations.alerts.sweep import unneeded
from trading_orchestrator.perpetual_operations.alerts.takeover import can_wait, lost_groups, owed_ends
from trading_orchestrator.perpetual_operations.alerts.tending import Over, Tending

SWEEP_EVERY_NS = 30_000_000_000


class Engine:
    """Alerts in, messages out. Every method returns the facts it decided, which its own state has taken in already.

    Law: append them, durably and in order, before acting on them (sending a message is acting). If the append
    fails, throw the engine away and fold a new one. Only two things live outside the facts, and losing them is
    harmless: confirmations of what is known (`_confirmed`; a start gives every source time to confirm again) and
    flushes that changed nothing (`Decisions.ticks`).

    `lead`: how far its time is ahead of the wall clock, which silences and time intervals go by.
    `is_out`: whether the bytes of a message may be on their way; what is dropped then may arrive all the same.
    """

    def __init__(self, policy: Policy, state: State | None = None, lead: Lead | None = None) -> None:
        self.policy = policy
        self.state = state or State()
        self.inhibitor = Inhibitor(policy.inhibit_rules, self.alert)
        self.silencer = Silencer()
        self.routing = Routing(policy.tree)
        self._confirmed: dict[str, Alert] = {}
        self._swept_ns: int | None = None
        self.lead = lead or Lead()
        self.is_out: Callable[[str], bool] = lambda name: False
        self._decisions = Decisions(self.state)
        self.root_causes = RootCauses(policy.root_cause or RootCauseConfig(), self.alert)
        self.tending = Tending(self.state, self.silencer, self.alert, self.lead)
        self.muting = (
            Inhibited(self.inhibitor),
            *((Explained(self.root_causes),) if policy.root_cause is not None else ()),
            OutsideActiveTimes(policy.intervals),
            WithinMuteTimes(policy.intervals),
            Silenced(self.silencer, self.state),
        )
        self._flushing = Flushing(
            policy,
            self._decisions,
            muting=self.muting,
            alert=self.alert,
            lead=self.lead,
            is_out=lambda name: self.is_out(name),  # noqa: PLW0108 - whoever delivers sets it later
        )
        for alert in self.state.alerts.values():
            self._index(alert)

    # -- what happens to it

    def start(self, now_ns: int) -> Sequence[f.Body]:
        """Take over: regroup what the policy routes differently now, and hold what waits for its sources."""
        until_ns = now_ns + self.policy.hold_ns
        self._regroup(now_ns)
        held = tuple(
            f.Held(group.group_id, until_ns)
            for group in self.state.groups.values()
            if can_wait(self.state, group, now_ns)
        )
        timeouts_from_ns = now_ns + self.policy.resolve_timeout_ns
        self._decisions.decide(f.EngineStarted(at_ns=now_ns, timeouts_from_ns=timeouts_from_ns, held=held))
        return self._decisions.taken()

    def set_graph(self, depends_on: DependsOn) -> None:
        """Take which parts stand on which; it is the running program's, so every start gives it anew."""
        self.root_causes.set_graph(depends_on)

    def receive(self, alerts: Sequence[Alert], now_ns: int) -> Sequence[f.Body]:
        """Take in alerts as `admitted` made them."""
        entries: list[f.Entry] = []
        flaps: dict[str, f.FlapNoted] = {}
        for heard in alerts:
            alert = self._calmed(heard, flaps, now_ns)
            old, recorded = self.alert(alert.fingerprint), self.state.alerts.get(alert.fingerprint)
            new = alert if old is None else merged(old, alert, now_ns)
            routes = self.routing.of(new.labels)
            if old is not None and old.is_resolved(now_ns) and new.is_resolved(now_ns):
                routes = [one for one in routes if self.routing.group_id(one, new.labels) in self.state.groups]
                if not routes:
                    continue  # its source says the end again and again, and nobody else is spoken of
            groups = [self._group_for(new, route, alert, now_ns) for route in routes]
            if old is not None and _is_in_all(new, groups) and says_nothing_new(old, recorded, new, now_ns):
                self._confirmed[new.fingerprint] = new
                continue
            self._confirmed.pop(new.fingerprint, None)
            self._index(new)
            # Facts in between would show a group without its alert: the state follows at once, the fact at the end.
            entries.append(f.Entry(new, tuple([group.group_id for group in groups])))
            self.state.take_in(entries[-1])
        if flaps:
            self._decisions.add(f.FlapsNoted(at_ns=now_ns, noted=tuple(flaps.values())))
        self._decisions.open_together()
        if entries:
            self.state.at_ns = max(self.state.at_ns, now_ns)
            self._decisions.add(f.Received(at_ns=now_ns, entries=tuple(entries)))
            names = {entry.alert.fingerprint: None for entry in entries}
            self._end_silences(self.tending.without_need(names, now_ns), now_ns)
        return self._decisions.taken()

    def end(self, alert: Alert, now_ns: int) -> Sequence[f.Body]:
        """End an alert that fires, because a person says so: it is not calmed, and its flapping is forgotten."""
        name = alert.fingerprint
        if name in self.state.flaps:
            self._decisions.decide(f.FlapsNoted(at_ns=now_ns, noted=(f.FlapNoted(name, None),)))
        ended = msgspec.structs.replace(alert, ends_at_ns=now_ns, updated_at_ns=now_ns, is_timeout=False)
        return self.receive([ended], now_ns)

    def advance(self, now_ns: int) -> Sequence[f.Body]:
        """Do what is due by now. Call it at `next_due_ns()`; late calls shift nothing but themselves."""
        self._flushing.flush(self._decisions.dues.take(now_ns), now_ns)
        if self._next_sweep_ns() <= now_ns:
            self._sweep(now_ns)
        return self._decisions.taken()

    def set_silence(self, silence: Silence, now_ns: int) -> Sequence[f.Body]:
        """Set a new silence, or change the one of this id.

        Raises:
            SilenceRefused: it cannot act, or nobody answers for it; or only another id could follow what it changes.
        """
        self._decisions.decide(f.SilenceSet(at_ns=now_ns, silence=self.tending.accepted(silence, now_ns)))
        return self._decisions.taken()

    def expire_silence(self, silence_id: str, now_ns: int) -> Sequence[f.Body]:
        """End a silence now; ending one twice does nothing more.

        Raises:
            SilenceRefused: there is none of this id.
        """
        silence = self.state.silences.get(silence_id)
        if silence is None:
            raise SilenceRefused(f"no silence has the id {silence_id!r}", silence_id=silence_id)
        wall_ns = self.lead.wall_ns(now_ns)
        if not silence.is_expired(wall_ns):
            self._decisions.decide(f.SilenceSet(at_ns=now_ns, silence=ended(silence, wall_ns)))
        return self._decisions.taken()

    def delivered(
        self, notification_id: str, now_ns: int, answer: str = "", answers: tuple[f.Answer, ...] = ()
    ) -> Sequence[f.Body]:
        """The receiver has the message. An answer about a message that is settled already changes nothing."""
        if self._is_open(notification_id):
            self._decisions.decide(
                f.NotificationDelivered(notification_id=notification_id, at_ns=now_ns, answer=answer, answers=answers)
            )
        return self._decisions.taken()

    def failed(
        self,
        notification_id: str,
        now_ns: int,
        answer: str = "",
        retry_after_s: float | None = None,
        answers: tuple[f.Answer, ...] = (),
    ) -> Sequence[f.Body]:
        """The message did not arrive, or nobody knows: it will be tried again."""
        outgoing = self.state.outbox.get(notification_id)
        if outgoing is not None:
            retry_at_ns = now_ns + wait_ns(outgoing.tries + 1, retry_after_s)
            self._decisions.decide(
                f.NotificationFailed(
                    notification_id=notification_id,
                    at_ns=now_ns,
                    answer=answer,
                    retry_at_ns=retry_at_ns,
                    answers=answers,
                )
            )
        return self._decisions.taken()

    def refused(
        self, notification_id: str, now_ns: int, answer: str = "", answers: tuple[f.Answer, ...] = ()
    ) -> Sequence[f.Body]:
        """The receiver will never take this message; the group's next flush makes another."""
        if self._is_open(notification_id):
            self._flushing.drop(notification_id, answer, now_ns, answers)
        return self._decisions.taken()

    # -- what it says

    def alert(self, name: str) -> Alert | None:
        """Return the alert of this fingerprint as it is known, the newest confirmation included."""
        return self._confirmed.get(name) or self.state.alerts.get(name)

    def flush_of(self, group: Group, now_ns: int) -> Flush:
        """Return the group's turn to speak, were it now."""
        return self._flushing.flush_of(group, now_ns)

    def due_sends(self, now_ns: int) -> list[Outgoing]:
        """Return the messages to try now, oldest first. The caller remembers which of them it is trying."""
        return [outgoing for outgoing in self.state.outbox.values() if outgoing.retry_at_ns <= now_ns]

    def next_due_ns(self) -> int | None:
        """Return when `advance` has something to do next."""
        due_ns = self._decisions.dues.next_ns()
        times = [] if due_ns is None else [due_ns]
        if self.state.groups or self.state.flaps or self.tending.is_needed():
            times.append(self._next_sweep_ns())
        return min(times, default=None)

    # -- how it decides

    def _is_open(self, notification_id: str) -> bool:
        """Return whether the message is still on its way; if so, its group counts anew from its end."""
        outgoing = self.state.outbox.get(notification_id)
        for group_id in outgoing.group_ids() if outgoing is not None else ():
            self._decisions.ticks.pop(group_id, None)
        return outgoing is not None

    def _group_for(self, alert: Alert, route: Route, told: Alert, now_ns: int) -> Group:
        """Return the alert's group on this route: opened, hastened or freed as the alert demands.

        `told` is the alert in the words of its source: a source that says nothing of an old start is not late.
        """
        group_id = self.routing.group_id(route, alert.labels)
        group = self.state.groups.get(group_id)
        if group is None:
            labels = route.group_labels(alert.labels)
            due_ns = first_due_ns(route, alert, now_ns)
            self._decisions.decide(
                f.GroupOpened(
                    group_id=group_id,
                    route_id=route.route_id,
                    group_key=group_id.partition("|")[2],
                    receiver=route.receiver,
                    labels=labels,
                    due_ns=due_ns,
                )
            )
            return self.state.groups[group_id]
        is_waiting_anew = group.is_held or group.is_freed
        due_ns = first_due_ns(route, told if is_waiting_anew else alert, now_ns)
        if group.is_held or (not group.has_flushed and due_ns == now_ns < group.due_ns):
            self._decisions.ticks.pop(group_id, None)
            self._decisions.decide(f.GroupTimed(group_id=group_id, due_ns=due_ns))
        return group

    def _index(self, alert: Alert) -> None:
        self.inhibitor.add(alert)
        self.root_causes.add(alert)

    def _calmed(self, alert: Alert, noted: dict[str, f.FlapNoted], now_ns: int) -> Alert:
        config, name = self.policy.flapping, alert.fingerprint
        if config is None:
            return alert
        known, flap = self.alert(name), self.state.flaps.get(name)
        if known is None and flap is None:
            return alert
        alert, flap = flapping.calmed(alert, known, flap, now_ns, config)
        if flap is not None and flap != self.state.flaps.get(name):
            noted[name] = f.FlapNoted(name, flap)
            self.state.apply(f.FlapsNoted(at_ns=now_ns, noted=(noted[name],)))
        return alert

    def _end_silences(self, over: Iterable[Over], now_ns: int) -> None:
        for silence, why in list(over):
            at_end = ended(silence, self.lead.wall_ns(now_ns))
            self._decisions.decide(f.SilenceSet(at_ns=now_ns, silence=at_end, why=why))

    def _regroup(self, now_ns: int) -> None:
        """Close groups whose route is gone or speaks to another, and group their alerts as the policy wants now."""
        lost = lost_groups(self.state, self.policy)
        if not lost:
            return
        names = {name for group in lost for name in group.alerts}
        for group in lost:
            if group.in_flight is not None:
                self._flushing.drop(group.in_flight, "its route is gone", now_ns)
        closed = tuple(group.group_id for group in lost)
        self._decisions.decide(f.Swept(at_ns=now_ns, groups=closed, alerts=(), silences=(), told=()))
        for name in sorted(names):
            alert = self.state.alerts[name]
            groups = [self._group_for(alert, route, alert, now_ns) for route in self.policy.tree.match(alert.labels)]
            entry = f.Entry(alert, tuple(group.group_id for group in groups))
            self._decisions.decide(f.Received(at_ns=now_ns, entries=(entry,)))
        for body in owed_ends(self.state, lost, self.policy, now_ns):
            self._decisions.decide(body)

    def _next_sweep_ns(self) -> int:
        swept_ns = self.state.started_at_ns if self._swept_ns is None else self._swept_ns
        return swept_ns + SWEEP_EVERY_NS

    def _sweep(self, now_ns: int) -> None:
        state = self.state
        self._end_silences(self.tending.without_need(state.alerts, now_ns), now_ns)
        if used := self.tending.used(now_ns):
            self._decisions.decide(f.SilenceUsed(at_ns=now_ns, silence_ids=used))
        self._end_silences(self.tending.unused(now_ns), now_ns)
        self.silencer.forget_others(state.silences.values())
        self._forget_calm(now_ns)
        self._swept_ns = next_tick_ns(state.started_at_ns, SWEEP_EVERY_NS, now_ns) - SWEEP_EVERY_NS
        over = unneeded(state, now_ns, self.lead.wall_ns(now_ns))
        for name in over.alerts:
            self.inhibitor.forget(state.alerts[name])
            self.root_causes.forget(state.alerts[name])
            self._confirmed.pop(name, None)
        for group_id in over.groups:
            self._decisions.ticks.pop(group_id, None)
        if over.groups or over.alerts or over.silences or over.told:
            self._decisions.decide(over)

    def _forget_calm(self, now_ns: int) -> None:
        config = self.policy.flapping
        calm = [name for name, flap in self.state.flaps.items() if flapping.is_forgotten(flap, config, now_ns)]
        if calm:
            self._decisions.decide(f.FlapsNoted(at_ns=now_ns, noted=tuple(f.FlapNoted(name, None) for name in calm)))


def _is_in_all(alert: Alert, groups: Sequence[Group]) -> bool:
    return all(alert.fingerprint in group.alerts for group in groups)
