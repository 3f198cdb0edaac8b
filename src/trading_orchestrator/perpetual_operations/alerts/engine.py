"""The alert engine: pure, on time that comes in as arguments; what it decides is facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts import flapping
from trading_orchestrator.perpetual_operations.alerts.alert import Alert, merged, says_nothing_new
from trading_orchestrator.perpetual_operations.alerts.backoff import wait_ns
from trading_orchestrator.perpetual_operations.alerts.digest import Digests, Said, due_of, ended_digests
from trading_orchestrator.perpetual_operations.alerts.dues import Dues, groups_timed_by
from trading_orchestrator.perpetual_operations.alerts.group import Group, first_due_ns, next_tick_ns
from trading_orchestrator.perpetual_operations.alerts.inhibit import Inhibitor
from trading_orchestrator.perpetual_operations.alerts.labels import fingerprint
from trading_orchestrator.perpetual_operations.alerts.lead import Lead
from trading_orchestrator.perpetual_operations.alerts.policy import Policy
from trading_orchestrator.perpetual_operations.alerts.root_cause import DependsOn, RootCauseConfig, RootCauses
from trading_orchestrator.perpetual_operations.alerts.route import LEFT, Route, Routing
from trading_orchestrator.perpetual_operations.alerts.silence import Silence, Silencer, SilenceRefused, ended
from trading_orchestrator.perpetual_operations.alerts.sizing import within_size
from trading_orchestrator.perpetual_operations.alerts.stages import (
    Explained,
    Flush,
    Inhibited,
    OutsideActiveTimes,
    Silenced,
    Unchanged,
    WithinMuteTimes,
    parted,
    walk,
)
from trading_orchestrator.perpetual_operations.alerts.state import Outgoing, State
from trading_orchestrator.perpetual_operations.alerts.storm import StormWatch
from trading_orchestrator.perpetual_operations.alerts.sweep import unneeded
from trading_orchestrator.perpetual_operations.alerts.takeover import can_wait, lost_groups, owed_ends
from trading_orchestrator.perpetual_operations.alerts.tending import Over, Tending

SWEEP_EVERY_NS = 30_000_000_000
SHORTEST_DEADLINE_NS = 10_000_000_000
FEW_GROUPS = 5


class Engine:
    """Alerts in, messages out. Every method returns the facts it decided, which its own state has taken in already.

    Law: append them, durably and in order, before acting on them (sending a message is acting). If the append
    fails, throw the engine away and fold a new one. Only two things live outside the facts, and losing them is
    harmless: confirmations of what is known (`_confirmed`; a start gives every source time to confirm again) and
    flushes that changed nothing (`_ticks`).

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
        self._ticks: dict[str, int] = {}
        self._swept_ns: int | None = None
        self.lead = lead or Lead()
        self.is_out: Callable[[str], bool] = lambda name: False
        self._dues = Dues(self._due_of, self.state.groups)
        self._decided: list[f.Body] = []
        self.root_causes = RootCauses(policy.root_cause or RootCauseConfig(), self.alert)
        self.storms = None if policy.storm is None else StormWatch(policy.storm)
        self.tending = Tending(self.state, self.silencer, self.alert, self.lead)
        self.muting = (
            Inhibited(self.inhibitor),
            *((Explained(self.root_causes),) if policy.root_cause is not None else ()),
            OutsideActiveTimes(policy.intervals),
            WithinMuteTimes(policy.intervals),
            Silenced(self.silencer, self.state),
        )
        self.unchanged = Unchanged(self.state, policy.send_resolved)
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
        self._decide(f.EngineStarted(at_ns=now_ns, timeouts_from_ns=timeouts_from_ns, held=held))
        return self._taken()

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
            self._decided += within_size(f.FlapsNoted(at_ns=now_ns, noted=tuple(flaps.values())))
        self._decided = list(_opened_together(self._decided))
        if entries:
            self.state.at_ns = max(self.state.at_ns, now_ns)
            self._decided += within_size(f.Received(at_ns=now_ns, entries=tuple(entries)))
            names = {entry.alert.fingerprint: None for entry in entries}
            self._end_silences(self.tending.without_need(names, now_ns), now_ns)
        return self._taken()

    def end(self, alert: Alert, now_ns: int) -> Sequence[f.Body]:
        """End an alert that fires, because a person says so: it is not calmed, and its flapping is forgotten."""
        name = alert.fingerprint
        if name in self.state.flaps:
            self._decide(f.FlapsNoted(at_ns=now_ns, noted=(f.FlapNoted(name, None),)))
        ended = msgspec.structs.replace(alert, ends_at_ns=now_ns, updated_at_ns=now_ns, is_timeout=False)
        return self.receive([ended], now_ns)

    def advance(self, now_ns: int) -> Sequence[f.Body]:
        """Do what is due by now. Call it at `next_due_ns()`; late calls shift nothing but themselves."""
        due = self._dues.take(now_ns)
        digests = Digests(self.storms, self.policy.never_throttled, now_ns)
        for group_id in due:
            said = self._flush(self.state.groups[group_id], now_ns)
            if said is not None and not digests.takes(said):
                self._tell(said, now_ns)
        self._digest(digests, now_ns)
        for group_id in due:
            self._dues.note(group_id)
        if self._next_sweep_ns() <= now_ns:
            self._sweep(now_ns)
        return self._taken()

    def set_silence(self, silence: Silence, now_ns: int) -> Sequence[f.Body]:
        """Set a new silence, or change the one of this id.

        Raises:
            SilenceRefused: it cannot act, or nobody answers for it; or only another id could follow what it changes.
        """
        self._decide(f.SilenceSet(at_ns=now_ns, silence=self.tending.accepted(silence, now_ns)))
        return self._taken()

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
            self._decide(f.SilenceSet(at_ns=now_ns, silence=ended(silence, wall_ns)))
        return self._taken()

    def delivered(
        self, notification_id: str, now_ns: int, answer: str = "", answers: tuple[f.Answer, ...] = ()
    ) -> Sequence[f.Body]:
        """The receiver has the message. An answer about a message that is settled already changes nothing."""
        if self._is_open(notification_id):
            self._decide(
                f.NotificationDelivered(notification_id=notification_id, at_ns=now_ns, answer=answer, answers=answers)
            )
        return self._taken()

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
            self._decide(
                f.NotificationFailed(
                    notification_id=notification_id,
                    at_ns=now_ns,
                    answer=answer,
                    retry_at_ns=retry_at_ns,
                    answers=answers,
                )
            )
        return self._taken()

    def refused(
        self, notification_id: str, now_ns: int, answer: str = "", answers: tuple[f.Answer, ...] = ()
    ) -> Sequence[f.Body]:
        """The receiver will never take this message; the group's next flush makes another."""
        if self._is_open(notification_id):
            self._drop(notification_id, answer, now_ns, answers)
        return self._taken()

    # -- what it says

    def alert(self, name: str) -> Alert | None:
        """Return the alert of this fingerprint as it is known, the newest confirmation included."""
        return self._confirmed.get(name) or self.state.alerts.get(name)

    def flush_of(self, group: Group, now_ns: int) -> Flush:
        """Return the group's turn to speak, were it now."""
        return Flush(group, self.policy.routes[group.route_id], now_ns, self.lead.wall_ns(now_ns))

    def due_sends(self, now_ns: int) -> list[Outgoing]:
        """Return the messages to try now, oldest first. The caller remembers which of them it is trying."""
        return [outgoing for outgoing in self.state.outbox.values() if outgoing.retry_at_ns <= now_ns]

    def next_due_ns(self) -> int | None:
        """Return when `advance` has something to do next."""
        due_ns = self._dues.next_ns()
        times = [] if due_ns is None else [due_ns]
        if self.state.groups or self.state.flaps or self.tending.is_needed():
            times.append(self._next_sweep_ns())
        return min(times, default=None)

    # -- how it decides

    def _decide(self, body: f.Body) -> None:
        timed = groups_timed_by(self.state, body)
        self.state.apply(body)
        for group_id in timed:
            self._dues.note(group_id)
        self._decided += within_size(body)

    def _taken(self) -> Sequence[f.Body]:
        decided, self._decided = self._decided, []
        return decided

    def _is_open(self, notification_id: str) -> bool:
        """Return whether the message is still on its way; if so, its group counts anew from its end."""
        outgoing = self.state.outbox.get(notification_id)
        for group_id in outgoing.group_ids() if outgoing is not None else ():
            self._ticks.pop(group_id, None)
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
            self._decide(
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
            self._ticks.pop(group_id, None)
            self._decide(f.GroupTimed(group_id=group_id, due_ns=due_ns))
        return group

    def _due_of(self, group_id: str) -> int | None:
        group = self.state.groups.get(group_id)
        return None if group is None else self._due_ns(group)

    def _due_ns(self, group: Group) -> int:
        if group.in_flight is not None:
            return self._ticks.get(group.group_id, self.state.outbox[group.in_flight].message.deadline_ns)
        return self._ticks.get(group.group_id, group.due_ns)

    def _flush(self, group: Group, now_ns: int) -> Said | None:
        """Return what the group has to say now; a flush without a message is decided here."""
        route = self.policy.routes[group.route_id]
        every_ns = route.group_interval_ns
        alerts = [alert for name in group.alerts if (alert := self.alert(name)) is not None]
        next_due_ns = next_tick_ns(self._due_ns(group), every_ns, now_ns)
        if group.route_id == LEFT and any(not alert.is_resolved(now_ns) for alert in alerts):
            self._ticks[group.group_id] = next_due_ns  # its receiver hears nothing more of it but the end of all of it
            return None
        flush = self.flush_of(group, now_ns)
        telling = self._to_tell(flush, alerts)
        if group.in_flight is not None:
            if not self._supersede(flush, telling):
                self._ticks[group.group_id] = now_ns + max(every_ns, SHORTEST_DEADLINE_NS)
                return None
            telling = self._to_tell(flush, alerts)  # what was taken back may be known, and then its end is owed
        settled = tuple(alert.fingerprint for alert in alerts if alert.is_resolved(now_ns))
        self._ticks.pop(group.group_id, None)
        if telling:
            return self._said(group, route, telling, settled, now_ns, next_due_ns)
        if settled or not group.has_flushed:
            self._decide(
                f.GroupFlushed(group_id=group.group_id, at_ns=now_ns, next_due_ns=next_due_ns, settled=settled)
            )
        else:
            self._ticks[group.group_id] = next_due_ns
        return None

    def _to_tell(self, flush: Flush, alerts: Sequence[Alert]) -> Sequence[Alert]:
        """Return what the receiver hears now. Where an end is always told, nothing mutes it that was told to fire."""
        told = self.state.told.get((flush.group.group_key, flush.group.receiver))
        if told is None or not self.policy.end_always_told:
            return walk((*self.muting, self.unchanged), flush, alerts)
        owed = [one for one in alerts if one.fingerprint in told.firing and one.is_resolved(flush.now_ns)]
        names = {one.fingerprint for one in owed}
        left = walk(self.muting, flush, [one for one in alerts if one.fingerprint not in names])
        return walk((self.unchanged,), flush, [*left, *owed])

    def _supersede(self, flush: Flush, telling: Sequence[Alert]) -> bool:
        """Take back a message that found no receiver in time, unless it still says what is to be said.

        Where one channel has it and another is away, it is said anew when those that have it are to hear it again.
        """
        group, now_ns = flush.group, flush.now_ns
        assert group.in_flight is not None
        outgoing = self.state.outbox[group.in_flight]
        one = outgoing.of_group(group.group_id)
        says_it = bool(telling) and parted(telling, now_ns) == (frozenset(one.firing), frozenset(one.resolved))
        is_due_again = (
            outgoing.taken_ns is not None
            and bool(one.firing)
            and now_ns - outgoing.message.at_ns >= flush.route.repeat_interval_ns
        )
        if says_it and not is_due_again:
            return False
        self._drop(group.in_flight, "a newer one follows" if telling else "it is out of date", now_ns)
        return True

    def _drop(self, name: str, reason: str, now_ns: int, answers: tuple[f.Answer, ...] = ()) -> None:
        outgoing = self.state.outbox[name]
        self._decide(
            f.NotificationDropped(
                notification_id=name,
                at_ns=now_ns,
                reason=reason,
                answers=answers,
                may_be_known=outgoing.may_be_known or self.is_out(name),
            )
        )

    def _said(
        self,
        group: Group,
        route: Route,
        alerts: Sequence[Alert],
        settled: tuple[str, ...],
        now_ns: int,
        next_due_ns: int,
    ) -> Said | None:
        firing, resolved = parted(alerts, now_ns)
        expires_at_ns = now_ns + 2 * route.repeat_interval_ns
        if not firing and not self.policy.send_resolved[group.receiver]:
            self._decide(
                f.GroupFlushed(
                    group_id=group.group_id,
                    at_ns=now_ns,
                    next_due_ns=next_due_ns,
                    settled=settled,
                    clears=True,
                    expires_at_ns=expires_at_ns,
                )
            )
            return None
        part = f.DigestPart(
            group_id=group.group_id,
            group_key=group.group_key,
            next_due_ns=next_due_ns,
            expires_at_ns=expires_at_ns,
            firing=tuple(sorted(firing)),
            resolved=tuple(sorted(resolved)),
            settled=tuple(name for name in settled if name not in resolved),
        )
        told = self.state.told.get((group.group_key, group.receiver))
        return Said(group, alerts, part, now_ns + max(route.group_interval_ns, SHORTEST_DEADLINE_NS), told)

    def _tell(self, said: Said, now_ns: int) -> None:
        receiver = said.group.receiver
        if self.storms is not None:
            self.storms.count(receiver, 1, now_ns)
        ends = ended_digests(self.state, receiver, [said.part.group_key])
        send_resolved = self.policy.send_resolved[receiver]
        name = self._new_id(said.group.group_id)
        self._decide(due_of(said, name, now_ns, send_resolved=send_resolved, ends=ends))

    def _digest(self, digests: Digests, now_ns: int) -> None:
        """Tell what was held back: by itself when it is little, in a storm all of it in one message."""
        for receiver, waiting in digests.waiting():
            if not digests.is_storm(receiver):
                for said in waiting:
                    self._tell(said, now_ns)
                continue
            at_ns = digests.at_ns(receiver)
            if at_ns > now_ns:
                self._ticks |= {said.group.group_id: at_ns for said in waiting}
                continue
            is_over = not any(said.part.firing for said in waiting)
            keys = [said.part.group_key for said in waiting] if is_over else []
            ends = ended_digests(self.state, receiver, keys)
            name = self._new_id(f"digest {receiver}")
            for body in digests.message(receiver, name, self.policy.send_resolved[receiver], ends):
                self._decide(body)

    def _new_id(self, about: str) -> str:
        return f"{fingerprint({'group': about})}-{self.state.message_count + 1}"

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
            self._decide(f.SilenceSet(at_ns=now_ns, silence=at_end, why=why))

    def _regroup(self, now_ns: int) -> None:
        """Close groups whose route is gone or speaks to another, and group their alerts as the policy wants now."""
        lost = lost_groups(self.state, self.policy)
        if not lost:
            return
        names = {name for group in lost for name in group.alerts}
        for group in lost:
            if group.in_flight is not None:
                self._drop(group.in_flight, "its route is gone", now_ns)
        closed = tuple(group.group_id for group in lost)
        self._decide(f.Swept(at_ns=now_ns, groups=closed, alerts=(), silences=(), told=()))
        for name in sorted(names):
            alert = self.state.alerts[name]
            groups = [self._group_for(alert, route, alert, now_ns) for route in self.policy.tree.match(alert.labels)]
            entry = f.Entry(alert, tuple(group.group_id for group in groups))
            self._decide(f.Received(at_ns=now_ns, entries=(entry,)))
        for body in owed_ends(self.state, lost, self.policy, now_ns):
            self._decide(body)

    def _next_sweep_ns(self) -> int:
        swept_ns = self.state.started_at_ns if self._swept_ns is None else self._swept_ns
        return swept_ns + SWEEP_EVERY_NS

    def _sweep(self, now_ns: int) -> None:
        state = self.state
        self._end_silences(self.tending.without_need(state.alerts, now_ns), now_ns)
        if used := self.tending.used(now_ns):
            self._decide(f.SilenceUsed(at_ns=now_ns, silence_ids=used))
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
            self._ticks.pop(group_id, None)
        if over.groups or over.alerts or over.silences or over.told:
            self._decide(over)

    def _forget_calm(self, now_ns: int) -> None:
        config = self.policy.flapping
        calm = [name for name, flap in self.state.flaps.items() if flapping.is_forgotten(flap, config, now_ns)]
        if calm:
            self._decide(f.FlapsNoted(at_ns=now_ns, noted=tuple(f.FlapNoted(name, None) for name in calm)))


def _is_in_all(alert: Alert, groups: Sequence[Group]) -> bool:
    return all(alert.fingerprint in group.alerts for group in groups)


def _opened_together(decided: Sequence[f.Body]) -> Iterator[f.Body]:
    """A storm opens groups by the thousand: as many facts cost ten times what they say."""
    opened = tuple(body for body in decided if isinstance(body, f.GroupOpened))
    if len(opened) < FEW_GROUPS:
        yield from decided
        return
    yield from within_size(f.GroupsOpened(groups=opened))
    yield from (body for body in decided if not isinstance(body, f.GroupOpened))
