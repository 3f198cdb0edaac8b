"""Calls to people: each contact that a ladder asks for is a message of its own, until an answer settles it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import msgspec

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.backoff import wait_ns
from trading_orchestrator.perpetual_operations.alerts.config import ReceiverConfig
from trading_orchestrator.perpetual_operations.alerts.engine import Engine
from trading_orchestrator.perpetual_operations.alerts.escalation import facts as ef
from trading_orchestrator.perpetual_operations.alerts.escalation.escalator import Escalator
from trading_orchestrator.perpetual_operations.alerts.escalation.snapshot import StateKept, state_of
from trading_orchestrator.perpetual_operations.alerts.rider import Body
from trading_orchestrator.perpetual_operations.alerts.state import Outgoing
from trading_orchestrator.storage.ports import Put

ALERTS_A_CALL = 20


class CallFailed(msgspec.Struct, frozen=True, kw_only=True):
    """A try did not arrive, or nobody knows; the next one comes at `retry_at_ns`."""

    kind: ClassVar[str] = "call.failed"
    contact_id: str
    at_ns: int
    answer: str
    retry_at_ns: int


class CallDelivered(msgspec.Struct, frozen=True, kw_only=True):
    """The person's channel has it."""

    kind: ClassVar[str] = "call.delivered"
    contact_id: str
    at_ns: int
    answer: str


class CallDropped(msgspec.Struct, frozen=True, kw_only=True):
    """It is not tried again: refused, or what it was about is over."""

    kind: ClassVar[str] = "call.dropped"
    contact_id: str
    at_ns: int
    reason: str


class CallsKept(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot holds besides the ladders; never a fact of the journal."""

    kind: ClassVar[str] = "call.kept"
    news: dict[str, f.NotificationDue]
    outbox: dict[str, Outgoing]


class Calls:
    """A rider that opens a ladder for every message to a receiver that has one, and closes it with the last alert.

    `outbox` and the methods `delivered`, `failed` and `refused` are those of an engine, so that the same Delivery
    carries calls and messages; a call's receiver is `PERSON/CHANNEL`.
    """

    name = "escalations"

    def __init__(self, escalator: Escalator, receivers: Mapping[str, ReceiverConfig]) -> None:
        self.escalator = escalator
        self.engine: Engine | None = None
        self.outbox: dict[str, Outgoing] = {}
        self._ladders = {name: one.escalation for name, one in receivers.items() if one.escalation is not None}
        self._news: dict[str, f.NotificationDue] = {}

    def of_alert(self, fingerprint: str) -> list[str]:
        """Return the open escalations that this alert is part of."""
        return [
            name
            for name, message in self._news.items()
            if fingerprint in message.firing and name in self.escalator.state.open
        ]

    # -- as a rider

    def load(self, kind: str, body: bytes) -> None:
        kept = state_of(kind, body)
        known = ef.body_of(kind, body)
        if kept is not None:
            self.escalator.state = kept
        elif kind == CallsKept.kind:
            calls = msgspec.json.decode(body, type=CallsKept)
            self._news, self.outbox = calls.news, calls.outbox
        elif known is not None:
            self.escalator.state.apply(known)
            self._heard(known)
        elif kind in _OWN:
            self._settle(msgspec.json.decode(body, type=_OWN[kind]))
        elif kind == f.NotificationDue.kind:
            self._hear_news(msgspec.json.decode(body, type=f.NotificationDue))

    def advance(self, decided: Sequence[Body], now_ns: int) -> Sequence[Body]:
        said: list[Body] = []
        for body in decided:
            if isinstance(body, f.NotificationDue) and (name := self._hear_news(body)) is not None:
                said += self.escalator.open(name, now_ns, policy=self._ladders[body.receiver])
        for name in [name for name in self.escalator.state.open if self._is_over(name, now_ns)]:
            said += self.escalator.close(name, "resolved", now_ns)
        said += self.escalator.advance(now_ns)
        for body in [*decided, *said]:
            self._heard(body)
        return [*said, *self._drop_what_is_over(now_ns)]

    def next_due_ns(self) -> int | None:
        return self.escalator.next_due_ns()

    def rows(self, bodies: Sequence[Body]) -> Iterable[Put]:
        return ()

    def snapshot(self, now_ns: int) -> Sequence[Body]:
        return [StateKept(state=self.escalator.state), CallsKept(news=self._news, outbox=self.outbox)]

    # -- as an outbox

    def due_sends(self, now_ns: int) -> list[Outgoing]:
        """Return the calls to try now."""
        return [one for one in self.outbox.values() if one.retry_at_ns <= now_ns]

    def delivered(self, name: str, now_ns: int, answer: str = "") -> Sequence[Body]:
        """The person's channel has the call."""
        return self._decide(name, CallDelivered(contact_id=name, at_ns=now_ns, answer=answer))

    def failed(self, name: str, now_ns: int, answer: str = "", retry_after_s: float | None = None) -> Sequence[Body]:
        """The call did not arrive, or nobody knows."""
        tries = self.outbox[name].tries + 1 if name in self.outbox else 1
        retry_at_ns = now_ns + wait_ns(tries, retry_after_s)
        return self._decide(name, CallFailed(contact_id=name, at_ns=now_ns, answer=answer, retry_at_ns=retry_at_ns))

    def refused(self, name: str, now_ns: int, answer: str = "") -> Sequence[Body]:
        """The channel will never take this call."""
        return self._decide(name, CallDropped(contact_id=name, at_ns=now_ns, reason=answer))

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

    def _hear_news(self, message: f.NotificationDue) -> str | None:
        """Remember the newest message that fires; returns the escalation it belongs to."""
        if message.receiver not in self._ladders or not message.firing:
            return None
        name = f"{message.receiver}|{message.group_id}"
        self._news[name] = message
        return name

    def _heard(self, body: Body) -> None:
        match body:
            case ef.ContactDue():
                self.outbox[body.contact_id] = Outgoing(self._call(body), retry_at_ns=body.at_ns)
            case ef.Closed():
                self._news.pop(body.escalation_id, None)

    def _call(self, contact: ef.ContactDue) -> f.NotificationDue:
        """One message about everything this person is called for."""
        news = [self._news[name] for name in contact.escalations if name in self._news]
        alerts = tuple(alert for message in news for alert in message.alerts if alert.status == "firing")
        return f.NotificationDue(
            notification_id=contact.contact_id,
            group_id=contact.contact_id,
            group_key=contact.contact_id,
            receiver=f"{contact.to}/{contact.channel}",
            status="firing",
            group_labels=news[0].group_labels if news else {},
            alerts=alerts[:ALERTS_A_CALL],
            unlisted=sum(message.unlisted for message in news) + len(alerts[ALERTS_A_CALL:]),
            firing=tuple(alert.fingerprint for alert in alerts[:ALERTS_A_CALL]),
            resolved=(),
            settled=(),
            at_ns=contact.at_ns,
            next_due_ns=contact.at_ns,
            deadline_ns=contact.at_ns,
            expires_at_ns=contact.at_ns,
        )

    def _is_over(self, name: str, now_ns: int) -> bool:
        """A ladder ends when nothing fires any more of what it was about."""
        message = self._news.get(name)
        if message is None or self.engine is None:
            return False
        alerts = (self.engine.alert(fingerprint) for fingerprint in message.firing)
        return all(alert is None or alert.is_resolved(now_ns) for alert in alerts)

    def _drop_what_is_over(self, now_ns: int) -> Sequence[Body]:
        """A call that found no way out while its alert ended must not wake anybody any more."""
        over = [
            name
            for name, one in self.outbox.items()
            if one.tries and one.message.firing and not any(self.of_alert(each) for each in one.message.firing)
        ]
        return [body for name in over for body in self.refused(name, now_ns, "it is over")]


_OWN: dict[str, type[CallDelivered | CallFailed | CallDropped]] = {
    one.kind: one for one in (CallDelivered, CallFailed, CallDropped)
}
