"""The alert engine: pure, on time that comes in as arguments; what it decides is facts."""

from __future__ import annotations

from collections.abc import Sequence

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.alert import Alert, merged, says_nothing_new
from trading_orchestrator.perpetual_operations.alerts.backoff import wait_ns
from trading_orchestrator.perpetual_operations.alerts.group import Group, first_due_ns, next_tick_ns
from trading_orchestrator.perpetual_operations.alerts.inhibit import Inhibitor
from trading_orchestrator.perpetual_operations.alerts.labels import fingerprint, list_order, shown
from trading_orchestrator.perpetual_operations.alerts.policy import Policy
from trading_orchestrator.perpetual_operations.alerts.route import Route
from trading_orchestrator.perpetual_operations.alerts.silence import (
    Silence,
    Silencer,
    SilenceRefused,
    can_change,
    ended,
)
from trading_orchestrator.perpetual_operations.alerts.silence import checked as checked_silence
from trading_orchestrator.perpetual_operations.alerts.stages import (
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

SWEEP_EVERY_NS = 30_000_000_000
SHORTEST_DEADLINE_NS = 10_000_000_000
ALERTS_A_FACT = 100  # of at most TEXT_LEN_MAX each: a fact may hold 1 MB, and a storm of 20,000 is one message
SILENCE_KEPT_NS = 5 * 86_400_000_000_000


class Engine:
    """Alerts in, messages out. Every method returns the facts it decided, which its own state has taken in already.

    Law: append them, durably and in order, before acting on them (sending a message is acting). If the append
    fails, throw the engine away and fold a new one. Only two things live outside the facts, and losing them is
    harmless: confirmations of what is known (`_confirmed`; a start gives every source time to confirm again) and
    flushes that changed nothing (`_ticks`).
    """

    def __init__(self, policy: Policy, state: State | None = None) -> None:
        self.policy = policy
        self.state = state or State()
        self.inhibitor = Inhibitor(policy.inhibit_rules, self.alert)
        self.silencer = Silencer()
        self._confirmed: dict[str, Alert] = {}
        self._ticks: dict[str, int] = {}
        self._decided: list[f.Body] = []
        self.muting = (
            Inhibited(self.inhibitor),
            OutsideActiveTimes(policy.intervals),
            WithinMuteTimes(policy.intervals),
            Silenced(self.silencer, self.state),
        )
        self.unchanged = Unchanged(self.state, policy.send_resolved)
        for alert in self.state.alerts.values():
            self.inhibitor.add(alert)

    # -- what happens to it

    def start(self, now_ns: int) -> Sequence[f.Body]:
        """Take over: regroup what the policy routes differently now, and hold what waits for its sources."""
        until_ns = now_ns + self.policy.hold_ns
        self._regroup(now_ns)
        held = tuple(
            f.Held(group.group_id, until_ns) for group in self.state.groups.values() if self._can_wait(group, now_ns)
        )
        timeouts_from_ns = now_ns + self.policy.resolve_timeout_ns
        self._decide(f.EngineStarted(at_ns=now_ns, timeouts_from_ns=timeouts_from_ns, held=held))
        return self._taken()

    def receive(self, alerts: Sequence[Alert], now_ns: int) -> Sequence[f.Body]:
        """Take in alerts as `admitted` made them."""
        entries: list[f.Entry] = []
        for alert in alerts:
            old, recorded = self.alert(alert.fingerprint), self.state.alerts.get(alert.fingerprint)
            new = merged(old, alert, now_ns)
            if old is not None and old.is_resolved(now_ns) and new.is_resolved(now_ns):
                continue
            groups = [self._group_for(new, route, alert, now_ns) for route in self.policy.tree.match(new.labels)]
            is_in_all = all(new.fingerprint in group.alerts for group in groups)
            if is_in_all and says_nothing_new(old, recorded, new, now_ns):
                self._confirmed[new.fingerprint] = new
                continue
            self._confirmed.pop(new.fingerprint, None)
            self.inhibitor.add(new)
            # Facts in between would show a group without its alert: the state follows at once, the fact at the end.
            entries.append(f.Entry(new, tuple(group.group_id for group in groups)))
            self.state.apply(f.Received(at_ns=now_ns, entries=(entries[-1],)))
        for first in range(0, len(entries), ALERTS_A_FACT):
            self._decided.append(f.Received(at_ns=now_ns, entries=tuple(entries[first : first + ALERTS_A_FACT])))
        return self._taken()

    def advance(self, now_ns: int) -> Sequence[f.Body]:
        """Do what is due by now. Call it at `next_due_ns()`; late calls shift nothing but themselves."""
        due = [group for group in self.state.groups.values() if self._due_ns(group) <= now_ns]
        for group in sorted(due, key=lambda group: (self._due_ns(group), group.group_id)):
            self._flush(group, now_ns)
        if self._next_sweep_ns() <= now_ns:
            self._sweep(now_ns)
        return self._taken()

    def set_silence(self, silence: Silence, now_ns: int) -> Sequence[f.Body]:
        """Set a new silence, or change the one of this id.

        Raises:
            SilenceRefused: it cannot act; or it changes one that can only be followed by another id.
        """
        old = self.state.silences.get(silence.silence_id)
        if old is not None and can_change(old, silence, now_ns):
            self._decide(f.SilenceSet(at_ns=now_ns, silence=silence))
            return self._taken()
        if old is not None:
            raise SilenceRefused(
                "this change needs a silence of its own: expire the old one", silence_id=old.silence_id
            )
        self._decide(f.SilenceSet(at_ns=now_ns, silence=checked_silence(silence, now_ns)))
        return self._taken()

    def expire_silence(self, silence_id: str, now_ns: int) -> Sequence[f.Body]:
        """End a silence now; ending one twice does nothing more.

        Raises:
            SilenceRefused: there is none of this id.
        """
        silence = self.state.silences.get(silence_id)
        if silence is None:
            raise SilenceRefused(f"no silence has the id {silence_id!r}", silence_id=silence_id)
        if not silence.is_expired(now_ns):
            self._decide(f.SilenceSet(at_ns=now_ns, silence=ended(silence, now_ns)))
        return self._taken()

    def delivered(self, notification_id: str, now_ns: int, answer: str = "") -> Sequence[f.Body]:
        """The receiver has the message. An answer about a message that is settled already changes nothing."""
        if self._is_open(notification_id):
            self._decide(f.NotificationDelivered(notification_id=notification_id, at_ns=now_ns, answer=answer))
        return self._taken()

    def failed(
        self, notification_id: str, now_ns: int, answer: str = "", retry_after_s: float | None = None
    ) -> Sequence[f.Body]:
        """The message did not arrive, or nobody knows: it will be tried again."""
        outgoing = self.state.outbox.get(notification_id)
        if outgoing is not None:
            retry_at_ns = now_ns + wait_ns(outgoing.tries + 1, retry_after_s)
            self._decide(
                f.NotificationFailed(
                    notification_id=notification_id, at_ns=now_ns, answer=answer, retry_at_ns=retry_at_ns
                )
            )
        return self._taken()

    def refused(self, notification_id: str, now_ns: int, answer: str = "") -> Sequence[f.Body]:
        """The receiver will never take this message; the group's next flush makes another."""
        if self._is_open(notification_id):
            self._decide(f.NotificationDropped(notification_id=notification_id, at_ns=now_ns, reason=answer))
        return self._taken()

    # -- what it says

    def alert(self, name: str) -> Alert | None:
        """Return the alert of this fingerprint as it is known, the newest confirmation included."""
        return self._confirmed.get(name) or self.state.alerts.get(name)

    def due_sends(self, now_ns: int) -> list[Outgoing]:
        """Return the messages to try now, oldest first. The caller remembers which of them it is trying."""
        return [outgoing for outgoing in self.state.outbox.values() if outgoing.retry_at_ns <= now_ns]

    def next_due_ns(self) -> int | None:
        """Return when `advance` has something to do next."""
        times = [self._due_ns(group) for group in self.state.groups.values()]
        if self.state.groups:
            times.append(self._next_sweep_ns())
        return min(times, default=None)

    # -- how it decides

    def _decide(self, body: f.Body) -> None:
        self.state.apply(body)
        self._decided.append(body)

    def _taken(self) -> Sequence[f.Body]:
        decided, self._decided = self._decided, []
        return decided

    def _is_open(self, notification_id: str) -> bool:
        """Return whether the message is still on its way; if so, its group counts anew from its end."""
        outgoing = self.state.outbox.get(notification_id)
        if outgoing is not None:
            self._ticks.pop(outgoing.message.group_id, None)
        return outgoing is not None

    def _group_for(self, alert: Alert, route: Route, told: Alert, now_ns: int) -> Group:
        """Return the alert's group on this route: opened, hastened or freed as the alert demands.

        `told` is the alert in the words of its source: a source that says nothing of an old start is not late.
        """
        labels = route.group_labels(alert.labels)
        group_key = f"{route.key}:{shown(labels)}"
        group_id = f"{route.route_id}|{group_key}"
        group = self.state.groups.get(group_id)
        if group is None:
            due_ns = first_due_ns(route, alert, now_ns)
            self._decide(
                f.GroupOpened(
                    group_id=group_id,
                    route_id=route.route_id,
                    group_key=group_key,
                    receiver=route.receiver,
                    labels=labels,
                    due_ns=due_ns,
                )
            )
            return self.state.groups[group_id]
        due_ns = first_due_ns(route, told if group.is_held else alert, now_ns)
        if group.is_held or (not group.has_flushed and due_ns == now_ns < group.due_ns):
            self._ticks.pop(group_id, None)
            self._decide(f.GroupTimed(group_id=group_id, due_ns=due_ns))
        return group

    def _due_ns(self, group: Group) -> int:
        if group.in_flight is not None:
            return self._ticks.get(group.group_id, self.state.outbox[group.in_flight].message.deadline_ns)
        return self._ticks.get(group.group_id, group.due_ns)

    def _flush(self, group: Group, now_ns: int) -> None:
        route = self.policy.routes[group.route_id]
        every_ns = route.group_interval_ns
        alerts = [alert for name in group.alerts if (alert := self.alert(name)) is not None]
        due_ns = self._due_ns(group)
        next_due_ns = next_tick_ns(due_ns, every_ns, now_ns)
        telling = self._to_tell(Flush(group, route, now_ns), alerts)
        if group.in_flight is not None and not self._supersede(group, telling, now_ns):
            self._ticks[group.group_id] = now_ns + max(every_ns, SHORTEST_DEADLINE_NS)
            return
        settled = tuple(alert.fingerprint for alert in alerts if alert.is_resolved(now_ns))
        self._ticks.pop(group.group_id, None)
        if telling:
            self._tell(group, route, telling, settled, now_ns, next_due_ns)
        elif settled or not group.has_flushed:
            self._decide(
                f.GroupFlushed(group_id=group.group_id, at_ns=now_ns, next_due_ns=next_due_ns, settled=settled)
            )
        else:
            self._ticks[group.group_id] = next_due_ns

    def _to_tell(self, flush: Flush, alerts: Sequence[Alert]) -> Sequence[Alert]:
        """Return what the receiver hears now. Where an end is always told, nothing mutes it that was told to fire."""
        told = self.state.told.get((flush.group.group_key, flush.group.receiver))
        if told is None or not self.policy.end_always_told:
            return walk((*self.muting, self.unchanged), flush, alerts)
        owed = [one for one in alerts if one.fingerprint in told.firing and one.is_resolved(flush.now_ns)]
        names = {one.fingerprint for one in owed}
        left = walk(self.muting, flush, [one for one in alerts if one.fingerprint not in names])
        return walk((self.unchanged,), flush, [*left, *owed])

    def _supersede(self, group: Group, telling: Sequence[Alert], now_ns: int) -> bool:
        """Take back a message that found no receiver in time, unless it still says what is to be said."""
        assert group.in_flight is not None
        message = self.state.outbox[group.in_flight].message
        firing, resolved = parted(telling, now_ns)
        if telling and (firing, resolved) == (frozenset(message.firing), frozenset(message.resolved)):
            return False
        self._decide(
            f.NotificationDropped(notification_id=message.notification_id, at_ns=now_ns, reason="a newer one follows")
        )
        return True

    def _tell(
        self,
        group: Group,
        route: Route,
        alerts: Sequence[Alert],
        settled: tuple[str, ...],
        now_ns: int,
        next_due_ns: int,
    ) -> None:
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
            return
        listed = self._as_told(group.receiver, alerts, now_ns)
        count = len(alerts) if self.policy.send_resolved[group.receiver] else len(firing)
        self._decide(
            f.NotificationDue(
                notification_id=f"{fingerprint({'group': group.group_id})}-{self.state.message_count + 1}",
                group_id=group.group_id,
                group_key=group.group_key,
                receiver=group.receiver,
                status="firing" if firing else "resolved",
                group_labels=group.labels,
                alerts=listed,
                unlisted=count - len(listed),
                firing=tuple(sorted(firing)),
                resolved=tuple(sorted(resolved)),
                settled=tuple(name for name in settled if name not in resolved),
                at_ns=now_ns,
                next_due_ns=next_due_ns,
                deadline_ns=now_ns + max(route.group_interval_ns, SHORTEST_DEADLINE_NS),
                expires_at_ns=expires_at_ns,
            )
        )

    def _as_told(self, receiver: str, alerts: Sequence[Alert], now_ns: int) -> tuple[f.Notified, ...]:
        wanted = [alert for alert in alerts if self.policy.send_resolved[receiver] or not alert.is_resolved(now_ns)]
        return tuple(
            f.Notified(
                fingerprint=alert.fingerprint,
                status="resolved" if alert.is_resolved(now_ns) else "firing",
                labels=alert.labels,
                annotations=alert.annotations,
                starts_at_ns=alert.starts_at_ns,
                ends_at_ns=alert.ends_at_ns if alert.is_resolved(now_ns) else None,
                generator_url=alert.generator_url,
            )
            for alert in sorted(wanted, key=lambda alert: list_order(alert.labels))[:ALERTS_A_FACT]
        )

    def _can_wait(self, group: Group, now_ns: int) -> bool:
        """A group with something untold speaks at its time; one that could only repeat waits for its sources."""
        if not group.has_flushed or group.in_flight is not None:
            return False
        told = self.state.told.get((group.group_key, group.receiver))
        alerts = [self.state.alerts[name] for name in group.alerts]
        known = told.firing if told is not None else frozenset[str]()
        return all(
            alert.fingerprint in known if alert.is_timeout or not alert.is_resolved(now_ns) else False
            for alert in alerts
        )

    def _regroup(self, now_ns: int) -> None:
        """Close groups whose route is gone or speaks to another, and group their alerts as the policy wants now."""
        routes = self.policy.routes
        lost = [group for group in self.state.groups.values() if not _fits(group, routes.get(group.route_id))]
        if not lost:
            return
        names = {name for group in lost for name in group.alerts}
        for group in lost:
            if group.in_flight is not None:
                reason = "its route is gone"
                self._decide(f.NotificationDropped(notification_id=group.in_flight, at_ns=now_ns, reason=reason))
        closed = tuple(group.group_id for group in lost)
        self._decide(f.Swept(at_ns=now_ns, groups=closed, alerts=(), silences=(), told=()))
        for name in sorted(names):
            alert = self.state.alerts[name]
            groups = [self._group_for(alert, route, alert, now_ns) for route in self.policy.tree.match(alert.labels)]
            entry = f.Entry(alert, tuple(group.group_id for group in groups))
            self._decide(f.Received(at_ns=now_ns, entries=(entry,)))

    def _next_sweep_ns(self) -> int:
        swept_ns = self._ticks.get("", self.state.started_at_ns)
        return swept_ns + SWEEP_EVERY_NS

    def _sweep(self, now_ns: int) -> None:
        state = self.state
        self._ticks[""] = next_tick_ns(state.started_at_ns, SWEEP_EVERY_NS, now_ns) - SWEEP_EVERY_NS
        groups = tuple(group.group_id for group in state.groups.values() if not group.alerts and not group.in_flight)
        kept = {name for group in state.groups.values() for name in group.alerts}
        alerts = tuple(
            alert.fingerprint
            for alert in state.alerts.values()
            if alert.fingerprint not in kept and alert.is_resolved(now_ns)
        )
        silences = tuple(one.silence_id for one in state.silences.values() if one.ends_at_ns + SILENCE_KEPT_NS < now_ns)
        spoken = {(group.group_key, group.receiver) for group in state.groups.values() if group.group_id not in groups}
        told = tuple(key for key, told in state.told.items() if key not in spoken and told.expires_at_ns < now_ns)
        for name in alerts:
            self.inhibitor.forget(state.alerts[name])
            self._confirmed.pop(name, None)
        for group_id in groups:
            self._ticks.pop(group_id, None)
        if groups or alerts or silences or told:
            self._decide(f.Swept(at_ns=now_ns, groups=groups, alerts=alerts, silences=silences, told=told))


def _fits(group: Group, route: Route | None) -> bool:
    return route is not None and route.receiver == group.receiver and group.group_key.startswith(f"{route.key}:")
