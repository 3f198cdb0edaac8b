"""Calls to people: each contact that a ladder asks for is a message of its own, until an answer settles it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.attention import Acknowledged, Attention
from trading_orchestrator.perpetual_operations.alerts.backoff import wait_ns
from trading_orchestrator.perpetual_operations.alerts.call_ends import CallEnd, CallEndDue, CallEnds
from trading_orchestrator.perpetual_operations.alerts.call_message import ALERTS_A_CALL, call_of
from trading_orchestrator.perpetual_operations.alerts.config import ReceiverConfig
from trading_orchestrator.perpetual_operations.alerts.engine import Engine
from trading_orchestrator.perpetual_operations.alerts.escalation import facts as ef
from trading_orchestrator.perpetual_operations.alerts.escalation.escalator import Escalator
from trading_orchestrator.perpetual_operations.alerts.escalation.snapshot import StateKept, state_of
from trading_orchestrator.perpetual_operations.alerts.escalation.state import Escalation
from trading_orchestrator.perpetual_operations.alerts.kept_quiet import audible, is_kept_quiet
from trading_orchestrator.perpetual_operations.alerts.rider import Body
from trading_orchestrator.perpetual_operations.alerts.state import Outgoing
from trading_orchestrator.storage.ports import Put

LOOK_AGAIN_NS = 5_000_000_000  # silences and time intervals end by themselves


class CallFailed(msgspec.Struct, frozen=True, kw_only=True):
    """A try did not arrive, or nobody knows; the next one comes at `retry_at_ns`."""

    kind: ClassVar[str] = "call.failed"
    contact_id: str
    at_ns: int
    answer: str
    retry_at_ns: int
    answers: tuple[f.Answer, ...] = ()


class CallDelivered(msgspec.Struct, frozen=True, kw_only=True):
    """The person's channel has it."""

    kind: ClassVar[str] = "call.delivered"
    contact_id: str
    at_ns: int
    answer: str
    answers: tuple[f.Answer, ...] = ()


class CallDropped(msgspec.Struct, frozen=True, kw_only=True):
    """It is not tried again: refused, or nobody waits for it any more."""

    kind: ClassVar[str] = "call.dropped"
    contact_id: str
    at_ns: int
    reason: str
    answers: tuple[f.Answer, ...] = ()


class CallsKept(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot holds besides the ladders; never a fact of the journal."""

    kind: ClassVar[str] = "call.kept"
    news: dict[str, f.NotificationDue]
    outbox: dict[str, Outgoing]
    contacts: dict[str, ef.ContactDue] = {}
    called: dict[str, dict[str, CallEnd]] = {}
    owed: dict[str, CallEnd] = {}


class Calls:
    """A rider that opens a ladder for every message to a receiver that has one, and closes it with the last alert.

    What an alert needs to be heard on its receiver's channels it needs for calls too: while all that a ladder is about
    is kept quiet, the ladder rests. A call is tried only as long as somebody waits for it.

    `outbox` and the methods `delivered`, `failed` and `refused` are those of an engine, so that the same Delivery
    carries calls and messages; a call's receiver is `PERSON/CHANNEL`.

    `attention`: who has which alert. `is_out`: whether the bytes of a call may be on their way already.

    Args:
        kept_open: channels that keep a call open, and must hear when what it was about is over.
    """

    name = "escalations"

    def __init__(
        self, escalator: Escalator, receivers: Mapping[str, ReceiverConfig], *, kept_open: Collection[str] = ()
    ) -> None:
        self.escalator = escalator
        self.ends = CallEnds(kept_open)
        self.engine: Engine | None = None
        self.attention = Attention()
        self.is_out: Callable[[str], bool] = lambda name: False
        self.outbox: dict[str, Outgoing] = {}
        self.news: dict[str, f.NotificationDue] = {}
        self._contacts: dict[str, ef.ContactDue] = {}
        self._ladders = {name: one.escalation for name, one in receivers.items() if one.escalation is not None}
        self._looked_ns = 0

    def of_alert(self, fingerprint: str) -> list[str]:
        """Return the open escalations that this alert is part of."""
        is_open = self.escalator.state.open.__contains__
        return [name for name, message in self.news.items() if fingerprint in message.firing and is_open(name)]

    def is_kept_quiet(self, name: str, now_ns: int) -> bool:
        """Return whether nobody is to hear of anything that this escalation is about."""
        message = self.news.get(name)
        return self.engine is not None and message is not None and is_kept_quiet(self.engine, message, now_ns)

    # -- as a rider

    def load(self, kind: str, body: bytes) -> None:
        kept = state_of(kind, body)
        known = ef.body_of(kind, body)
        if kept is not None:
            self.escalator.state = kept
        elif kind == CallsKept.kind:
            calls = msgspec.json.decode(body, type=CallsKept)
            self.news, self.outbox, self._contacts = calls.news, calls.outbox, calls.contacts
            self.ends.called, self.ends.owed = calls.called, calls.owed
        elif known is not None:
            self.escalator.state.apply(known)
            self._heard(known)
        elif kind == CallEndDue.kind:
            self._heard(msgspec.json.decode(body, type=CallEndDue))
        elif kind in _OWN:
            self._settle(msgspec.json.decode(body, type=_OWN[kind]))
        elif kind == f.NotificationDue.kind:
            self._hear_news(msgspec.json.decode(body, type=f.NotificationDue))
        elif kind == f.NotificationListed.kind:
            self._hear_more(msgspec.json.decode(body, type=f.NotificationListed))

    def advance(self, decided: Sequence[Body], now_ns: int) -> Sequence[Body]:
        known = self._hear(decided)
        said = [body for name, names in known.items() for body in self._begun(name, names, now_ns)]
        said += self._close_what_is_over(now_ns)
        said += self._mute(now_ns)
        said += self._unmute(known, now_ns)
        for body in self.escalator.advance(now_ns):
            said.append(self._filled(body, now_ns) if isinstance(body, ef.ContactDue) else body)
        for body in [*decided, *said]:
            self._heard(body)
        said += self._drop_what_nobody_waits_for(now_ns)
        return [*said, *self._end(now_ns)]

    def next_due_ns(self) -> int | None:
        due_ns = self.escalator.next_due_ns()
        if not any(one.is_muted for one in self.escalator.state.open.values()):
            return due_ns
        look_ns = self._looked_ns + LOOK_AGAIN_NS
        return look_ns if due_ns is None else min(due_ns, look_ns)

    def rows(self, bodies: Sequence[Body]) -> Iterable[Put]:
        return ()

    def snapshot(self, now_ns: int) -> Sequence[Body]:
        ends = self.ends
        kept = CallsKept(
            news=self.news, outbox=self.outbox, contacts=self._contacts, called=ends.called, owed=ends.owed
        )
        return [StateKept(state=self.escalator.state), kept]

    # -- as an outbox

    def due_sends(self, now_ns: int) -> list[Outgoing]:
        """Return the calls to try now."""
        return [one for one in self.outbox.values() if one.retry_at_ns <= now_ns]

    def delivered(self, name: str, now_ns: int, answer: str = "", answers: tuple[f.Answer, ...] = ()) -> Sequence[Body]:
        """The person's channel has the call."""
        return self._decide(name, CallDelivered(contact_id=name, at_ns=now_ns, answer=answer, answers=answers))

    def failed(
        self,
        name: str,
        now_ns: int,
        answer: str = "",
        retry_after_s: float | None = None,
        answers: tuple[f.Answer, ...] = (),
    ) -> Sequence[Body]:
        """The call did not arrive, or nobody knows."""
        tries = self.outbox[name].tries + 1 if name in self.outbox else 1
        retry_at_ns = now_ns + wait_ns(tries, retry_after_s)
        failed = CallFailed(contact_id=name, at_ns=now_ns, answer=answer, retry_at_ns=retry_at_ns, answers=answers)
        return self._decide(name, failed)

    def refused(self, name: str, now_ns: int, answer: str = "", answers: tuple[f.Answer, ...] = ()) -> Sequence[Body]:
        """The channel will never take this call."""
        return self._decide(name, CallDropped(contact_id=name, at_ns=now_ns, reason=answer, answers=answers))

    # -- how it decides

    def _decide(self, name: str, body: CallDelivered | CallFailed | CallDropped) -> Sequence[Body]:
        if name not in self.outbox:
            return ()
        self._settle(body)
        return (body,)

    def _settle(self, body: CallDelivered | CallFailed | CallDropped) -> None:
        one = self.outbox.get(body.contact_id)
        if one is None:
            return
        if isinstance(body, CallFailed):
            one.tries, one.retry_at_ns = one.tries + 1, body.retry_at_ns
        else:
            del self.outbox[body.contact_id]
            self._contacts.pop(body.contact_id, None)

    # -- which ladders

    def _hear(self, decided: Sequence[Body]) -> dict[str, Collection[str]]:
        """Take the messages in; returns the escalations that they are about, with the alerts each knew before."""
        known: dict[str, Collection[str]] = {}
        for body in decided:
            if isinstance(body, f.NotificationListed):
                self._hear_more(body)
            elif isinstance(body, f.NotificationDue) and (name := self._name(body)) is not None:
                before = self.news.get(name) if name in self.escalator.state.open else None
                known.setdefault(name, frozenset(before.firing if before is not None else ()))
                self.news[name] = body
        return known

    def _name(self, message: f.NotificationDue) -> str | None:
        """Return the escalation that a message belongs to, if it is about one."""
        is_about = message.receiver in self._ladders and message.firing
        return f"{message.receiver}|{message.group_id}" if is_about else None

    def _hear_news(self, message: f.NotificationDue) -> None:
        """Remember the newest message that fires."""
        name = self._name(message)
        if name is not None:
            self.news[name] = message

    def _hear_more(self, more: f.NotificationListed) -> None:
        """A large message names its alerts in several facts."""
        for name, message in self.news.items():
            if more.firing and message.notification_id == more.notification_id:
                self.news[name] = msgspec.structs.replace(message, firing=message.firing + more.firing)

    def _heard(self, body: Body) -> None:
        match body:
            case ef.ContactDue():
                news = [self.news[name] for name in body.escalations if name in self.news]
                self.outbox[body.contact_id] = Outgoing(call_of(body, news), retry_at_ns=body.at_ns)
                self._contacts[body.contact_id] = body
                self.ends.heard_call(body, self.news)
            case CallEndDue():
                self.outbox[body.contact_id] = Outgoing(body.message(), retry_at_ns=body.at_ns)
                self.ends.heard_due(body)
            case ef.Closed():
                self.news.pop(body.escalation_id, None)
                self.ends.heard_end(body.escalation_id)

    def _begun(self, name: str, known: Collection[str], now_ns: int) -> Sequence[Body]:
        """Open the ladder. One that somebody has, or that is at its end, begins anew for an alert that is new to it.

        What a person took before anybody was called needs no call.
        """
        message, escalator = self.news[name], self.escalator
        new = [one for one in message.firing if one not in known]
        takers = self._takers(new, now_ns)
        if name in escalator.state.open:
            return escalator.reopen(name, now_ns) if new and takers is None else ()
        said = list(escalator.open(name, now_ns, policy=self._ladders[message.receiver]))
        if takers:
            ends_ns = [taker.until_ns for taker in takers if taker.until_ns is not None]
            for_s = (min(ends_ns) - now_ns) / 1e9 if ends_ns else None
            said += escalator.acknowledge(name, takers[-1].by, now_ns, takers[-1].note, timeout_s=for_s)
        return said

    def _takers(self, names: Sequence[str], now_ns: int) -> list[Acknowledged] | None:
        """Return who has these alerts, or None when nobody has one of them."""
        takers = []
        for name in names:
            taker = self.attention.of(name, now_ns)
            alert = self.engine.alert(name) if self.engine is not None else None
            if taker is None or alert is None or taker.at_ns < alert.starts_at_ns:  # it ended and began again since
                return None
            takers.append(taker)
        return takers

    def _close_what_is_over(self, now_ns: int) -> Sequence[Body]:
        over = [name for name in self.escalator.state.open if self._is_over(name, now_ns)]
        return [body for name in over for body in self.escalator.close(name, "resolved", now_ns)]

    def _is_over(self, name: str, now_ns: int) -> bool:
        """A ladder ends when nothing fires any more of what it was about, or its receiver has none any more."""
        message = self.news.get(name)
        if self.engine is None:
            return False
        if message is None or message.receiver not in self._ladders:
            return True
        alerts = (self.engine.alert(fingerprint) for fingerprint in message.firing)
        return all(alert is None or alert.is_resolved(now_ns) for alert in alerts)

    # -- who is not to be called

    def _mute(self, now_ns: int) -> Sequence[Body]:
        """Before somebody is called, look whether it may be heard."""
        names = dict.fromkeys(self.escalator.due(now_ns))
        for one in self.due_sends(now_ns):
            contact = self._contacts.get(one.message.notification_id)
            names |= dict.fromkeys(contact.escalations if contact is not None else ())
        quiet = [name for name in names if name in self.escalator.state.open and self.is_kept_quiet(name, now_ns)]
        return [body for name in quiet for body in self.escalator.mute(name, now_ns)]

    def _unmute(self, told: Collection[str], now_ns: int) -> Sequence[Body]:
        is_time = now_ns - self._looked_ns >= LOOK_AGAIN_NS
        if is_time:
            self._looked_ns = now_ns
        muted = [name for name, one in self.escalator.state.open.items() if one.is_muted]
        looked_at = [name for name in muted if is_time or name in told]
        heard = [name for name in looked_at if not self.is_kept_quiet(name, now_ns)]
        return [body for name in heard for body in self.escalator.unmute(name, now_ns)]

    def _filled(self, contact: ef.ContactDue, now_ns: int) -> ef.ContactDue:
        """Say which alerts the call names: what may be heard, first what nobody has, and of that the newest."""
        news = [self.news[name] for name in contact.escalations if name in self.news]
        listed = [one for message in news for one in message.alerts if one.status == "firing"]
        listed.sort(key=lambda one: (self.attention.of(one.fingerprint, now_ns) is not None, -one.starts_at_ns))
        names = list(dict.fromkeys(one.fingerprint for one in listed))
        if self.engine is not None:
            heard = {name for message in news for name in audible(self.engine, message, now_ns, names)}
            names = [name for name in names if name in heard] or names
        about, left = tuple(names[:ALERTS_A_CALL]), len(names[ALERTS_A_CALL:])
        more = left + sum(message.unlisted for message in news)
        return msgspec.structs.replace(contact, about=about, more=more)

    def _drop_what_nobody_waits_for(self, now_ns: int) -> Sequence[Body]:
        """A call that found no way out while somebody took its alert must not wake anybody any more."""
        contacts = [one for name, one in self._contacts.items() if not self.is_out(name)]
        unneeded = [one for one in contacts if not self.escalator.is_called(one.to, one.escalations)]
        return [body for one in unneeded for body in self.refused(one.contact_id, now_ns, self._why_not(one))]

    def _end(self, now_ns: int) -> Sequence[Body]:
        """Tell the ends that are owed, and none of what somebody is called about again."""
        again = list(self.ends.overtaken(self.outbox))
        dropped = [body for name in again for body in self.refused(name, now_ns, "it fires again")]
        over = self.ends.due(self.outbox, now_ns)
        for body in over:
            self._heard(body)
        return [*dropped, *over]

    def _why_not(self, contact: ef.ContactDue) -> str:
        several = [self.escalator.state.open.get(name) for name in contact.escalations]
        return next((_who_has(one) for one in several if one is not None), "it is over")


def _who_has(one: Escalation) -> str:
    if one.is_muted:
        return "it is kept quiet"
    if one.quiet_by:
        return f"{'snoozed' if one.is_snoozed else 'taken'} by {one.quiet_by}"
    return "a newer call follows"


_OWN: dict[str, type[CallDelivered | CallFailed | CallDropped]] = {
    one.kind: one for one in (CallDelivered, CallFailed, CallDropped)
}
