"""Digests: what many groups have to say at once to one receiver, in one message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.alert import Alert
from trading_orchestrator.perpetual_operations.alerts.dedup import Told
from trading_orchestrator.perpetual_operations.alerts.group import Group
from trading_orchestrator.perpetual_operations.alerts.matchers import Matcher, all_match
from trading_orchestrator.perpetual_operations.alerts.message import listed
from trading_orchestrator.perpetual_operations.alerts.state import State
from trading_orchestrator.perpetual_operations.alerts.storm import StormWatch
from trading_orchestrator.perpetual_operations.alerts.thread import Thread, digests_of

ALERTS_OF_A_PART = 1_000  # a larger group speaks for itself: it is one message already


@dataclass(frozen=True)
class Said:
    """What one group has to say: which alerts, what its receiver knows then, and until when it should have arrived.

    `told`: what its receiver knew before.
    """

    group: Group
    alerts: Sequence[Alert]
    part: f.DigestPart
    deadline_ns: int
    told: Told | None = None


def due_of(
    said: Said, notification_id: str, now_ns: int, *, send_resolved: bool, ends: tuple[Thread, ...] = ()
) -> f.NotificationDue:
    """Return the message in which a group speaks for itself."""
    group, part = said.group, said.part
    shown, unlisted = listed(said.alerts, now_ns, send_resolved=send_resolved)
    return f.NotificationDue(
        notification_id=notification_id,
        group_id=group.group_id,
        group_key=group.group_key,
        receiver=group.receiver,
        status="firing" if part.firing else "resolved",
        group_labels=group.labels,
        alerts=shown,
        unlisted=unlisted,
        firing=part.firing,
        resolved=part.resolved,
        settled=part.settled,
        at_ns=now_ns,
        next_due_ns=part.next_due_ns,
        deadline_ns=said.deadline_ns,
        expires_at_ns=part.expires_at_ns,
        after=(digests_of(group.receiver),) if said.told is not None and said.told.is_digested else (),
        ends=ends,
    )


class Digests:
    """Collects what can wait for a digest during one `advance`."""

    def __init__(self, storms: StormWatch | None, never_throttled: Sequence[Matcher], now_ns: int) -> None:
        self._storms = storms
        self._never_throttled = never_throttled
        self._now_ns = now_ns
        self._waiting: dict[str, list[Said]] = {}

    def takes(self, said: Said) -> bool:
        """Return whether it is held back until everything due is known; critical alerts never are."""
        if self._storms is None or len(said.alerts) > ALERTS_OF_A_PART:
            return False
        if any(all_match(self._never_throttled, alert.labels) for alert in said.alerts):
            return False
        self._waiting.setdefault(said.group.receiver, []).append(said)
        return True

    def waiting(self) -> Iterator[tuple[str, Sequence[Said]]]:
        """Yield each receiver and what waits for it."""
        yield from self._waiting.items()

    def is_storm(self, receiver: str) -> bool:
        """Return whether what waits would be too many messages."""
        waiting = len(self._waiting[receiver])
        return self._storms is not None and self._storms.is_storm(receiver, waiting, self._now_ns)

    def at_ns(self, receiver: str) -> int:
        """Return when the receiver may get its next digest."""
        return self._now_ns if self._storms is None else self._storms.digest_at_ns(receiver, self._now_ns)

    def message(
        self, receiver: str, notification_id: str, send_resolved: bool, ends: tuple[Thread, ...] = ()
    ) -> Iterator[f.Body]:
        """Yield the digest of all that waits, and which groups it stands for.

        Args:
            ends: threads that are over with it, besides those that groups in it began by themselves.
        """
        waiting = self._waiting[receiver]
        parts = tuple(said.part for said in waiting)
        alerts = [alert for said in waiting for alert in said.alerts]
        shown, unlisted = listed(alerts, self._now_ns, send_resolved=send_resolved)
        if self._storms is not None:
            self._storms.digested(receiver, len(parts), self._now_ns)
        yield f.NotificationDue(
            notification_id=notification_id,
            group_id=f"digest|{notification_id}",
            group_key=digests_of(receiver).group_key,
            receiver=receiver,
            status="firing" if any(part.firing for part in parts) else "resolved",
            group_labels={},
            alerts=shown,
            unlisted=unlisted,
            firing=tuple(sorted({name for part in parts for name in part.firing})),
            resolved=tuple(sorted({name for part in parts for name in part.resolved})),
            settled=(),
            at_ns=self._now_ns,
            next_due_ns=min(part.next_due_ns for part in parts),
            deadline_ns=min(said.deadline_ns for said in waiting),
            expires_at_ns=max(part.expires_at_ns for part in parts),
            digest_of=len(parts),
            ends=(*ends, *(Thread(receiver, said.part.group_key) for said in waiting if _is_ended(said))),
        )
        yield f.NotificationListed(notification_id=notification_id, groups=parts)


def ended_digests(state: State, receiver: str, leaving: Sequence[str]) -> tuple[Thread, ...]:
    """Return the receiver's thread of digests if it is over once these groups have left it, or are about to.

    Args:
        leaving: keys of groups that speak for themselves now, or end.
    """
    digested = state.digested.get(receiver, {})
    if not any(key in digested for key in leaving):
        return ()
    left = digested.keys() - set(leaving)
    for outgoing in state.outbox.values():
        if outgoing.message.receiver != receiver:
            continue
        if outgoing.message.digest_of and outgoing.message.firing:
            return ()
        left -= {part.group_key for part in outgoing.all_parts()}
    return () if left else (digests_of(receiver),)


def _is_ended(said: Said) -> bool:
    """A group that spoke for itself and ends in a digest: whoever keeps its thread open hears so."""
    return said.told is not None and said.told.is_open and not said.part.firing
