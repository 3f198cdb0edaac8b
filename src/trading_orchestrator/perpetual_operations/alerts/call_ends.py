"""Ends of calls: a channel that keeps a call open (an incident at PagerDuty) hears when what it was about is over."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import ClassVar

import msgspec

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.escalation import facts as ef
from trading_orchestrator.perpetual_operations.alerts.state import Outgoing
from trading_orchestrator.perpetual_operations.alerts.thread import Thread


class CallEnd(msgspec.Struct, frozen=True, kw_only=True):
    """Whom was called by what about which thread; `contact_id`: the newest call."""

    contact_id: str
    to: str
    channel: str
    thread: Thread
    group_labels: dict[str, str]

    @property
    def receiver(self) -> str:
        """Return the receiver of its message."""
        return f"{self.to}/{self.channel}"


class CallEndDue(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody was called about is over, and the channel of the call keeps it open: it must hear so."""

    kind: ClassVar[str] = "call.end_due"
    contact_id: str
    at_ns: int
    end: CallEnd

    def message(self) -> f.NotificationDue:
        """Return it as a message."""
        end = self.end
        return f.NotificationDue(
            notification_id=self.contact_id,
            group_id=self.contact_id,
            group_key=self.contact_id,
            receiver=end.receiver,
            status="resolved",
            group_labels=end.group_labels,
            alerts=(),
            firing=(),
            resolved=(),
            settled=(),
            at_ns=self.at_ns,
            next_due_ns=self.at_ns,
            deadline_ns=self.at_ns,
            expires_at_ns=self.at_ns,
            threads=(end.thread,),
        )


class CallEnds:
    """Remembers who was called about what, until what it was about is over and was said to be.

    Args:
        channels: those that keep a call open.
    """

    def __init__(self, channels: Collection[str]) -> None:
        self._channels = channels
        self.called: dict[str, dict[str, CallEnd]] = {}
        self.owed: dict[str, CallEnd] = {}

    def heard_call(self, contact: ef.ContactDue, news: Mapping[str, f.NotificationDue]) -> None:
        """A person is called; what was to be ended on this channel goes on."""
        if contact.channel not in self._channels:
            return
        for number, name in enumerate(contact.escalations):
            if name not in news:
                continue
            end = CallEnd(
                contact_id=f"{contact.contact_id}-{number}",
                to=contact.to,
                channel=contact.channel,
                thread=news[name].all_threads()[0],
                group_labels=news[name].group_labels,
            )
            self.called.setdefault(name, {})[end.receiver] = end
            for other in [key for key, one in self.owed.items() if _is_alike(one, end)]:
                del self.owed[other]

    def heard_end(self, escalation_id: str) -> None:
        """What people were called about is over; an end is owed unless they are called about the same thread still."""
        for end in self.called.pop(escalation_id, {}).values():
            others = [one for several in self.called.values() for one in several.values()]
            if not any(_is_alike(one, end) for one in others):
                self.owed[end.contact_id] = end

    def heard_due(self, body: CallEndDue) -> None:
        """An end is on its way."""
        self.owed.pop(body.end.contact_id, None)

    def due(self, outbox: Mapping[str, Outgoing], now_ns: int) -> Sequence[CallEndDue]:
        """Return the ends to tell now: an end must not overtake a call that is still on its way."""
        calling = {(one.message.receiver, thread) for one in outbox.values() for thread in one.message.threads}
        return [
            CallEndDue(contact_id=f"{end.contact_id}-over", at_ns=now_ns, end=end)
            for end in self.owed.values()
            if (end.receiver, end.thread) not in calling
        ]

    def overtaken(self, outbox: Mapping[str, Outgoing]) -> Iterator[str]:
        """Yield the ends on their way of what somebody is called about again."""
        calling = {(end.receiver, end.thread) for several in self.called.values() for end in several.values()}
        for name, one in outbox.items():
            is_end = one.message.status == "resolved"
            if is_end and one.tries and (one.message.receiver, one.message.threads[0]) in calling:
                yield name


def _is_alike(one: CallEnd, other: CallEnd) -> bool:
    return (one.receiver, one.thread) == (other.receiver, other.thread)
