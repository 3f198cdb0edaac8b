"""Delivery: tries what is due in the outbox, and reports what became of each try."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from trading_orchestrator.errors import OrchestratorError, Refused
from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.channels.port import Channel, Letter
from trading_orchestrator.perpetual_operations.alerts.engine import Engine
from trading_orchestrator.perpetual_operations.alerts.state import Outgoing

log = logging.getLogger(__name__)
Deed = Callable[[Engine, int], Sequence[f.Body]]


class Delivery:
    """One task a message. Use from one event loop.

    Args:
        key_prefix: what makes our idempotency keys differ from those of another journal.
        report: takes the outcome of a try, to be decided by the engine in the next turn.
    """

    def __init__(self, channels: Mapping[str, Channel], *, key_prefix: str, report: Callable[[Deed], None]) -> None:
        self._channels = channels
        self._key_prefix = key_prefix
        self._report = report
        self._trying: dict[str, asyncio.Task[None]] = {}

    def is_trying(self, notification_id: str) -> bool:
        """Return whether a try of this message is under way."""
        return notification_id in self._trying

    def follow(self, outbox: Mapping[str, Outgoing], due: Sequence[Outgoing]) -> None:
        """Begin the tries that are due. `outbox` is everything that has no final answer."""
        for outgoing in due:
            name = outgoing.message.notification_id
            if name not in self._trying:
                self._trying[name] = asyncio.create_task(self._try(outgoing.message))

    async def stop(self) -> None:
        """Break off every try; each is made again, under the same key, after the next start."""
        tasks, self._trying = list(self._trying.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _try(self, message: f.NotificationDue) -> None:
        name = message.notification_id
        letter = Letter(message, f"{self._key_prefix}-{name}")
        try:
            answer = await self._channels[message.receiver].send(letter)
            deed: Deed = lambda engine, now_ns: engine.delivered(name, now_ns, answer)  # noqa: E731
        except Refused as error:
            deed = _refused(name, error.message)
        except OrchestratorError as error:
            deed = _failed(name, error.message, getattr(error, "retry_after_s", None))
        except Exception as error:  # a channel is foreign code: its failure is a try that failed
            log.exception("the channel of %s failed", message.receiver)
            deed = _failed(name, f"{type(error).__name__}: {error}", None)
        self._trying.pop(name, None)
        self._report(deed)


def _failed(name: str, answer: str, retry_after_s: float | None) -> Deed:
    return lambda engine, now_ns: engine.failed(name, now_ns, answer, retry_after_s)


def _refused(name: str, answer: str) -> Deed:
    return lambda engine, now_ns: engine.refused(name, now_ns, answer)
