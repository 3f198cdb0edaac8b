"""What a channel does: carry one message to its receiver, and say truthfully what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from trading_orchestrator.errors import Transient
from trading_orchestrator.perpetual_operations.alerts.facts import NotificationDue, Notified

CRITICAL = "critical"


class Letter(msgspec.Struct, frozen=True):
    """A message with the key that stays the same however often it is tried: receivers drop doubles by it.

    `unlisted` returns the alerts that it stands for and does not list, as they are now; for receivers that take all.
    """

    message: NotificationDue
    idempotency_key: str
    unlisted: Callable[[], Sequence[Notified]] = tuple

    @property
    def is_critical(self) -> bool:
        """Return whether it tells of something critical, or of its end; nothing of ours may hold such a letter up."""
        several = (self.message.group_labels, *(alert.labels for alert in self.message.alerts))
        return any(labels.get("severity") == CRITICAL for labels in several)


class ReceiverBusy(Transient):
    """The receiver is there and asks us to come back later. It does not have the letter."""

    code = "alerts.receiver_busy"


class Channel(Protocol):
    """One way out. Cancelled when its time is over, and called for several letters at once."""

    async def send(self, letter: Letter) -> str:
        """Return what the receiver answered once it has the letter.

        Raises:
            Transient: it does not have it; try again, after `retry_after_s` when given. `ReceiverBusy`: it is well.
            Unknown: nobody knows; try again with the same key.
            Refused: it will never take this letter.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...


@runtime_checkable
class Checked(Protocol):
    """A channel that cannot judge its own config when it is opened, and can ask somebody who does."""

    async def check(self) -> None:
        """Return when nothing speaks against it; nothing is sent.

        Raises:
            Refused: it would never carry a letter; the sentence is for the operator.
        """
        ...


@runtime_checkable
class Forgetful(Protocol):
    """A channel whose receiver forgets what it is not told again, though nothing has changed."""

    async def tell_again(self, alerts: Sequence[Notified]) -> None:
        """Say that these still fire.

        Raises:
            Transient, Unknown, Refused: as `send` does.
        """
        ...
