"""Letters and a channel that does what a test tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.facts import NotificationDue, Notified

NOW_NS = 1_795_348_800_000_000_000


def alert(host: str, *, severity: str = "warning", ends_at_ns: int | None = None, **annotations: str) -> Notified:
    return Notified(
        fingerprint=host,
        status="firing" if ends_at_ns is None else "resolved",
        labels={"alertname": "Down", "host": host, "severity": severity},
        annotations=annotations,
        starts_at_ns=NOW_NS,
        ends_at_ns=ends_at_ns,
    )


def message(
    name: str = "n-1", alerts: Sequence[Notified] = (), *, receiver: str = "r", status: str = "firing"
) -> NotificationDue:
    told = tuple(alerts) or (alert("a"),)
    return NotificationDue(
        notification_id=name,
        group_id="g",
        group_key='{}:{alertname="Down"}',
        receiver=receiver,
        status=status,
        group_labels={"alertname": "Down"},
        alerts=told,
        firing=tuple(one.fingerprint for one in told if one.status == "firing"),
        resolved=tuple(one.fingerprint for one in told if one.status == "resolved"),
        settled=(),
        at_ns=NOW_NS,
        next_due_ns=0,
        deadline_ns=0,
        expires_at_ns=0,
    )


def letter(name: str = "n-1", *, severity: str = "warning", status: str = "firing") -> Letter:
    return Letter(message(name, [alert("a", severity=severity)], status=status), f"journal-{name}")


async def settle(clock: VirtualClock, after_s: float = 0.0) -> None:
    """Let time pass and everybody finish what is to be done then: a try takes many turns of the loop."""
    for step_s in (*[0.0] * 6, after_s, *[0.0] * 6):
        await clock.advance(step_s)


@dataclass
class Told:
    """A channel: raises the next of `errors` or answers; `hangs` says nothing until it is cancelled."""

    errors: list[Exception] = field(default_factory=list)
    hangs: bool = False
    letters: list[str] = field(default_factory=list)
    cancelled: int = 0

    async def send(self, letter: Letter) -> str:
        self.letters.append(letter.message.notification_id)
        if self.hangs:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled += 1
        if self.errors:
            raise self.errors.pop(0)
        return "200"

    async def close(self) -> None:
        return
