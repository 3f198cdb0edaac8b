"""A group's turn to speak: what it says, what it takes back, and many in one message."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.alert import Alert
from trading_orchestrator.perpetual_operations.alerts.decisions import Decisions
from trading_orchestrator.perpetual_operations.alerts.digest import Digests, Said, due_of, ended_digests
from trading_orchestrator.perpetual_operations.alerts.group import Group, next_tick_ns
from trading_orchestrator.perpetual_operations.alerts.labels import fingerprint
from trading_orchestrator.perpetual_operations.alerts.lead import Lead
from trading_orchestrator.perpetual_operations.alerts.policy import Policy
from trading_orchestrator.perpetual_operations.alerts.route import LEFT, Route
from trading_orchestrator.perpetual_operations.alerts.stages import Flush, Stage, Unchanged, parted, walk
from trading_orchestrator.perpetual_operations.alerts.storm import StormWatch

SHORTEST_DEADLINE_NS = 10_000_000_000


class Flushing:
    """Flushes groups into messages. Every message begins here.

    Args:
        muting: the stages that take out what is not to be said now; the order is the policy.
        alert: tells how an alert is known now, the newest confirmation included.
        is_out: whether the bytes of a message may be on their way; what is dropped then may arrive all the same.
    """

    def __init__(
        self,
        policy: Policy,
        decisions: Decisions,
        *,
        muting: Sequence[Stage],
        alert: Callable[[str], Alert | None],
        lead: Lead,
        is_out: Callable[[str], bool],
    ) -> None:
        self._policy = policy
        self._state = decisions.state
        self._decisions = decisions
        self._muting = muting
        self._unchanged = Unchanged(decisions.state, policy.send_resolved)
        self._storms = None if policy.storm is None else StormWatch(policy.storm)
        self._alert = alert
        self._lead = lead
        self._is_out = is_out

    def flush(self, due: Sequence[str], now_ns: int) -> None:
        """Give each of these groups its turn, in this order."""
        digests = Digests(self._storms, self._policy.never_throttled, now_ns)
        for group_id in due:
            said = self._flush(self._state.groups[group_id], now_ns)
            if said is not None and not digests.takes(said):
                self._tell(said, now_ns)
        self._digest(digests, now_ns)
        for group_id in due:
            self._decisions.dues.note(group_id)

    def flush_of(self, group: Group, now_ns: int) -> Flush:
        """Return the group's turn to speak, were it now."""
        return Flush(group, self._policy.routes[group.route_id], now_ns, self._lead.wall_ns(now_ns))

    def drop(self, name: str, reason: str, now_ns: int, answers: tuple[f.Answer, ...] = ()) -> None:
        """Give a message up: nobody tries it any more."""
        outgoing = self._state.outbox[name]
        self._decisions.decide(
            f.NotificationDropped(
                notification_id=name,
                at_ns=now_ns,
                reason=reason,
                answers=answers,
                may_be_known=outgoing.may_be_known or self._is_out(name),
            )
        )

    def _flush(self, group: Group, now_ns: int) -> Said | None:
        """Return what the group has to say now; a flush without a message is decided here."""
        route = self._policy.routes[group.route_id]
        every_ns = route.group_interval_ns
        alerts = [alert for name in group.alerts if (alert := self._alert(name)) is not None]
        next_due_ns = next_tick_ns(self._decisions.due_ns(group), every_ns, now_ns)
        if group.route_id == LEFT and any(not alert.is_resolved(now_ns) for alert in alerts):
            # Its receiver hears nothing more of it but the end of all of it.
            self._decisions.ticks[group.group_id] = next_due_ns
            return None
        flush = self.flush_of(group, now_ns)
        telling = self._to_tell(flush, alerts)
        if group.in_flight is not None:
            if not self._supersede(flush, telling):
                self._decisions.ticks[group.group_id] = now_ns + max(every_ns, SHORTEST_DEADLINE_NS)
                return None
            telling = self._to_tell(flush, alerts)  # what was taken back may be known, and then its end is owed
        settled = tuple(alert.fingerprint for alert in alerts if alert.is_resolved(now_ns))
        self._decisions.ticks.pop(group.group_id, None)
        if telling:
            return self._said(group, route, telling, settled, now_ns, next_due_ns)
        if settled or not group.has_flushed:
            self._decisions.decide(
                f.GroupFlushed(group_id=group.group_id, at_ns=now_ns, next_due_ns=next_due_ns, settled=settled)
            )
        else:
            self._decisions.ticks[group.group_id] = next_due_ns
        return None

    def _to_tell(self, flush: Flush, alerts: Sequence[Alert]) -> Sequence[Alert]:
        """Return what the receiver hears now. Where an end is always told, nothing mutes it that was told to fire."""
        told = self._state.told.get((flush.group.group_key, flush.group.receiver))
        if told is None or not self._policy.end_always_told:
            return walk((*self._muting, self._unchanged), flush, alerts)
        owed = [one for one in alerts if one.fingerprint in told.firing and one.is_resolved(flush.now_ns)]
        names = {one.fingerprint for one in owed}
        left = walk(self._muting, flush, [one for one in alerts if one.fingerprint not in names])
        return walk((self._unchanged,), flush, [*left, *owed])

    def _supersede(self, flush: Flush, telling: Sequence[Alert]) -> bool:
        """Take back a message that found no receiver in time, unless it still says what is to be said.

        Where one channel has it and another is away, it is said anew when those that have it are to hear it again.
        """
        group, now_ns = flush.group, flush.now_ns
        assert group.in_flight is not None
        outgoing = self._state.outbox[group.in_flight]
        one = outgoing.of_group(group.group_id)
        says_it = bool(telling) and parted(telling, now_ns) == (frozenset(one.firing), frozenset(one.resolved))
        is_due_again = (
            outgoing.taken_ns is not None
            and bool(one.firing)
            and now_ns - outgoing.message.at_ns >= flush.route.repeat_interval_ns
        )
        if says_it and not is_due_again:
            return False
        self.drop(group.in_flight, "a newer one follows" if telling else "it is out of date", now_ns)
        return True

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
        if not firing and not self._policy.send_resolved[group.receiver]:
            self._decisions.decide(
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
        told = self._state.told.get((group.group_key, group.receiver))
        return Said(group, alerts, part, now_ns + max(route.group_interval_ns, SHORTEST_DEADLINE_NS), told)

    def _tell(self, said: Said, now_ns: int) -> None:
        receiver = said.group.receiver
        if self._storms is not None:
            self._storms.count(receiver, 1, now_ns)
        ends = ended_digests(self._state, receiver, [said.part.group_key])
        send_resolved = self._policy.send_resolved[receiver]
        name = self._new_id(said.group.group_id)
        self._decisions.decide(due_of(said, name, now_ns, send_resolved=send_resolved, ends=ends))

    def _digest(self, digests: Digests, now_ns: int) -> None:
        """Tell what was held back: by itself when it is little, in a storm all of it in one message."""
        for receiver, waiting in digests.waiting():
            if not digests.is_storm(receiver):
                for said in waiting:
                    self._tell(said, now_ns)
                continue
            at_ns = digests.at_ns(receiver)
            if at_ns > now_ns:
                self._decisions.ticks |= {said.group.group_id: at_ns for said in waiting}
                continue
            is_over = not any(said.part.firing for said in waiting)
            keys = [said.part.group_key for said in waiting] if is_over else []
            ends = ended_digests(self._state, receiver, keys)
            name = self._new_id(f"digest {receiver}")
            for body in digests.message(receiver, name, self._policy.send_resolved[receiver], ends):
                self._decisions.decide(body)

    def _new_id(self, about: str) -> str:
        return f"{fingerprint({'group': about})}-{self._state.message_count + 1}"
