"""What the engine knows, folded from its facts: alerts, groups, silences, what was told, and the outbox."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.alert import Alert
from trading_orchestrator.perpetual_operations.alerts.dedup import Told
from trading_orchestrator.perpetual_operations.alerts.flapping import Flap
from trading_orchestrator.perpetual_operations.alerts.group import Group
from trading_orchestrator.perpetual_operations.alerts.silence import Silence


@dataclass
class Outgoing:
    """A message that has no final answer. `tries` failed so far; the next one is due at `retry_at_ns`.

    `parts`: what a digest says, by group. `taken_ns`: when the first of its receiver's channels took it, while another
    did not. `may_be_known`: one took it, or nobody knows whether one did.
    """

    message: f.NotificationDue
    retry_at_ns: int
    tries: int = 0
    parts: dict[str, f.DigestPart] = field(default_factory=dict)
    taken_ns: int | None = None
    may_be_known: bool = False

    def group_ids(self) -> list[str]:
        """Return the groups it speaks for."""
        return list(self.parts) if self.message.digest_of else [self.message.group_id]

    def all_parts(self) -> Sequence[f.NotificationDue | f.DigestPart]:
        """Return what it says of each group."""
        return list(self.parts.values()) if self.message.digest_of else [self.message]

    def of_group(self, group_id: str) -> f.NotificationDue | f.DigestPart:
        """Return what it says of one group."""
        return self.parts.get(group_id, self.message)


@dataclass
class State:
    """The fold. It needs no configuration: every decision is in the facts.

    `used_ns`: when a silence covered something last, of those that end unused.
    """

    started_at_ns: int = 0
    at_ns: int = 0
    message_count: int = 0
    alerts: dict[str, Alert] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)
    used_ns: dict[str, int] = field(default_factory=dict)
    told: dict[tuple[str, str], Told] = field(default_factory=dict)
    outbox: dict[str, Outgoing] = field(default_factory=dict)
    flaps: dict[str, Flap] = field(default_factory=dict)
    digested: dict[str, dict[str, None]] = field(default_factory=dict)
    """By receiver the groups of which a digest told last, and something fires: an index of `told`."""

    def __post_init__(self) -> None:
        for key, told in self.told.items():
            self._index_digested(key, told)

    def load(self, kind: str, body: bytes) -> None:
        """Take one stored fact in; kinds of others are passed over."""
        known = f.body_of(kind, body)
        if known is not None:
            self.apply(known)

    def apply(self, body: f.Body) -> None:
        """Take one fact in."""
        if not isinstance(body, f.GroupOpened | f.GroupsOpened | f.GroupTimed | f.NotificationListed):
            self.at_ns = max(self.at_ns, body.at_ns)
        _TAKES_IN[type(body)](self, body)

    def take_in(self, entry: f.Entry) -> None:
        """Take in one alert of a fact that follows."""
        self.alerts[entry.alert.fingerprint] = entry.alert
        for group_id in entry.groups:
            self.groups[group_id].alerts[entry.alert.fingerprint] = None

    def _receive(self, body: f.Received) -> None:
        for entry in body.entries:
            self.take_in(entry)

    def _open(self, body: f.GroupOpened) -> None:
        self.groups[body.group_id] = Group(
            body.group_id, body.route_id, body.group_key, body.receiver, body.labels, body.due_ns
        )

    def _open_several(self, body: f.GroupsOpened) -> None:
        for group in body.groups:
            self._open(group)

    def _time(self, body: f.GroupTimed) -> None:
        group = self.groups[body.group_id]
        group.is_freed = group.is_freed or group.is_held
        group.due_ns, group.has_flushed, group.is_held = body.due_ns, False, False

    def _flush(self, body: f.GroupFlushed) -> None:
        group = self.groups[body.group_id]
        group.due_ns, group.has_flushed, group.is_held, group.is_freed = body.next_due_ns, True, False, False
        self._settle(group, body.settled, body.at_ns)
        if body.clears:
            before = self.told[group.group_key, group.receiver].resolved if body.goes_on else frozenset()
            resolved = frozenset(body.settled) | before
            told = Told(at_ns=body.at_ns, firing=frozenset(), resolved=resolved, expires_at_ns=body.expires_at_ns)
            self._tell((group.group_key, group.receiver), told)

    def _send(self, body: f.NotificationDue) -> None:
        self.message_count += 1
        self.outbox[body.notification_id] = Outgoing(body, retry_at_ns=body.at_ns)
        if not body.digest_of:
            self._speaks(body.group_id, body.notification_id, body.next_due_ns)

    def _list(self, body: f.NotificationListed) -> None:
        outgoing = self.outbox[body.notification_id]
        message = outgoing.message
        outgoing.message = msgspec.structs.replace(
            message,
            firing=message.firing + body.firing,
            resolved=message.resolved + body.resolved,
            settled=message.settled + body.settled,
        )
        outgoing.parts |= {part.group_id: part for part in body.groups}
        for part in body.groups:
            self._speaks(part.group_id, body.notification_id, part.next_due_ns)

    def _speaks(self, group_id: str, notification_id: str, next_due_ns: int) -> None:
        group = self.groups[group_id]
        group.due_ns, group.has_flushed, group.is_held, group.is_freed = next_due_ns, True, False, False
        group.in_flight = notification_id

    def _failed(self, body: f.NotificationFailed) -> None:
        outgoing = self.outbox[body.notification_id]
        outgoing.tries, outgoing.retry_at_ns = outgoing.tries + 1, body.retry_at_ns
        if outgoing.taken_ns is None and any(one.is_taken for one in body.answers):
            outgoing.taken_ns = body.at_ns
        if any(one.is_taken or one.is_unknown for one in body.answers):
            outgoing.may_be_known = True

    def _dropped(self, body: f.NotificationDropped) -> None:
        outgoing = self.outbox[body.notification_id]
        self._out_of_flight(body.notification_id, body.at_ns)
        if body.may_be_known:
            self._doubt(outgoing, body.at_ns)

    def _doubt(self, outgoing: Outgoing, at_ns: int) -> None:
        """Some channel knows the message and some other does not, or nobody knows: remember all that may be known.

        An end that one channel took is kept for another that is away as long as `repeat_interval`, and no longer.
        """
        message, receiver = outgoing.message, outgoing.message.receiver
        for part in outgoing.all_parts():
            before = self.told.get((part.group_key, receiver))
            fires, is_digest = bool(part.firing), message.digest_of > 0
            known = frozenset(part.firing) | (before.firing if before is not None else frozenset())
            over = self._long_over(part, outgoing, at_ns)
            told = Told(
                at_ns=message.at_ns,
                firing=known.difference(over),
                resolved=frozenset(),
                expires_at_ns=part.expires_at_ns,
                is_open=(fires and not is_digest) or (before is not None and before.is_open),
                is_digested=(fires and is_digest) or (before is not None and before.is_digested),
                is_doubtful=True,
            )
            self._tell((part.group_key, receiver), told)
            if (group := self.groups.get(part.group_id)) is not None:
                self._settle(group, over, at_ns)

    def _long_over(self, part: f.NotificationDue | f.DigestPart, outgoing: Outgoing, at_ns: int) -> Sequence[str]:
        if outgoing.taken_ns is None:
            return ()
        kept_ns = (part.expires_at_ns - outgoing.message.at_ns) // 2  # a message is remembered for two repetitions
        ended = [self.alerts[name] for name in part.resolved if name in self.alerts]
        return [one.fingerprint for one in ended if one.ends_at_ns + kept_ns <= at_ns]

    def _silence(self, body: f.SilenceSet) -> None:
        self.silences[body.silence.silence_id] = body.silence

    def _use(self, body: f.SilenceUsed) -> None:
        self.used_ns |= dict.fromkeys(body.silence_ids, body.at_ns)

    def _delivered(self, body: f.NotificationDelivered) -> None:
        outgoing = self.outbox[body.notification_id]
        self._out_of_flight(body.notification_id, body.at_ns)
        receiver, at_ns = outgoing.message.receiver, outgoing.message.at_ns
        for group_id in outgoing.group_ids():
            part = outgoing.of_group(group_id)
            is_late, fires = part.next_due_ns <= body.at_ns, bool(part.firing)
            before = self.told.get((part.group_key, receiver))
            is_digest = outgoing.message.digest_of > 0
            told = Told(
                at_ns=body.at_ns if is_late else at_ns,
                firing=frozenset(part.firing),
                resolved=frozenset(part.resolved),
                expires_at_ns=part.expires_at_ns,
                is_open=fires and (not is_digest or (before is not None and before.is_open)),
                is_digested=fires and is_digest,
            )
            self._tell((part.group_key, receiver), told)
            group = self.groups.get(group_id)
            if group is not None:
                self._settle(group, (*part.resolved, *part.settled), body.at_ns)

    def _tell(self, key: tuple[str, str], told: Told) -> None:
        self.told[key] = told
        self._index_digested(key, told)

    def _index_digested(self, key: tuple[str, str], told: Told | None) -> None:
        group_key, receiver = key
        if told is not None and told.is_digested:
            self.digested.setdefault(receiver, {})[group_key] = None
        elif receiver in self.digested:
            self.digested[receiver].pop(group_key, None)
            if not self.digested[receiver]:
                del self.digested[receiver]

    def _out_of_flight(self, notification_id: str, at_ns: int) -> None:
        """A tick that came while the message was on its way is made up for now, and the next count from here."""
        for group_id in self.outbox.pop(notification_id).group_ids():
            group = self.groups.get(group_id)
            if group is not None and group.in_flight == notification_id:
                group.in_flight = None
                group.due_ns = max(group.due_ns, at_ns)

    def _note_flaps(self, body: f.FlapsNoted) -> None:
        for noted in body.noted:
            if noted.flap is None:
                self.flaps.pop(noted.fingerprint, None)
            else:
                self.flaps[noted.fingerprint] = noted.flap

    def _settle(self, group: Group, settled: Iterable[str], at_ns: int) -> None:
        """What has ended leaves, unless it fires again since."""
        for fingerprint in settled:
            alert = self.alerts.get(fingerprint)
            if alert is None or alert.is_resolved(at_ns):
                group.alerts.pop(fingerprint, None)

    def _start(self, body: f.EngineStarted) -> None:
        self.started_at_ns = body.at_ns
        told: list[f.NotificationDue | f.DigestPart] = []
        for outgoing in self.outbox.values():
            told += [outgoing.message, *outgoing.parts.values()]
            outgoing.may_be_known = True  # whoever died may have been sending it
        ending = {name for one in told for name in (*one.resolved, *one.settled)}
        for fingerprint in {name for group in self.groups.values() for name in group.alerts} - ending:
            alert = self.alerts[fingerprint]
            if alert.is_timeout and alert.ends_at_ns < body.timeouts_from_ns:
                self.alerts[fingerprint] = msgspec.structs.replace(alert, ends_at_ns=body.timeouts_from_ns)
        for held in body.held:
            group = self.groups[held.group_id]
            group.is_held, group.is_freed, group.due_ns = True, False, held.until_ns

    def _sweep(self, body: f.Swept) -> None:
        for group_id in body.groups:
            del self.groups[group_id]
        for fingerprint in body.alerts:
            del self.alerts[fingerprint]
        for silence_id in body.silences:
            del self.silences[silence_id]
            self.used_ns.pop(silence_id, None)
        for key in body.told:
            del self.told[key]
            self._index_digested(key, None)


_TAKES_IN: dict[type[f.Body], Callable[[State, Any], None]] = {
    f.Received: State._receive,
    f.GroupOpened: State._open,
    f.GroupsOpened: State._open_several,
    f.GroupTimed: State._time,
    f.GroupFlushed: State._flush,
    f.NotificationDue: State._send,
    f.NotificationListed: State._list,
    f.NotificationFailed: State._failed,
    f.NotificationDelivered: State._delivered,
    f.NotificationDropped: State._dropped,
    f.SilenceSet: State._silence,
    f.SilenceUsed: State._use,
    f.FlapsNoted: State._note_flaps,
    f.EngineStarted: State._start,
    f.Swept: State._sweep,
}


def folded(bodies: Iterable[f.Body]) -> State:
    """Return the state that the facts make."""
    state = State()
    for body in bodies:
        state.apply(body)
    return state
