"""The Alertmanager channel: forwards the alerts of a message by API v2, so that another one can route them on.

An alert that fires is given an end beyond our next repetition: an Alertmanager forgets what is not told again, and we
repeat by our own interval. Its real end follows with the resolved message.
"""

from __future__ import annotations

import msgspec

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.alerts.channels.alertmanager.config import AlertmanagerConfig
from trading_orchestrator.perpetual_operations.alerts.channels.http_answer import post, private_client
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.facts import NotificationDue, Notified
from trading_orchestrator.perpetual_operations.alerts.rfc3339 import rfc3339

PATH = "/api/v2/alerts"
LEAST_LASTS_NS = 300_000_000_000


class Alertmanager:
    """One Alertmanager. What a message leaves unlisted is not forwarded."""

    def __init__(self, config: AlertmanagerConfig, *, url: str, clock: Clock) -> None:
        self._url = url.rstrip("/") + PATH
        self._clock = clock
        self._client = private_client(config.timeout_s)

    async def send(self, letter: Letter) -> str:
        now_ns = self._clock.wall_ns()
        body = body_of(letter.message, now_ns)
        headers = {"Content-Type": "application/json", "Idempotency-Key": letter.idempotency_key}
        response = await post(self._client, self._url, body=body, headers=headers, now_s=now_ns / 1e9)
        return str(response.status_code)

    async def close(self) -> None:
        await self._client.aclose()


def open_alertmanager(config: AlertmanagerConfig, opening: Opening) -> Alertmanager:
    """Return the channel, its address resolved."""
    url = config.url if config.url.startswith("http") else opening.reveal(config.url)
    return Alertmanager(config, url=url, clock=opening.clock)


def body_of(message: NotificationDue, now_ns: int) -> bytes:
    """Return the alerts as API v2 takes them."""
    lasts_until_ns = max(message.expires_at_ns, now_ns + LEAST_LASTS_NS)
    return msgspec.json.encode([_alert(alert, lasts_until_ns) for alert in message.alerts])


def _alert(alert: Notified, lasts_until_ns: int) -> dict[str, object]:
    return {
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": rfc3339(alert.starts_at_ns),
        "endsAt": rfc3339(lasts_until_ns if alert.ends_at_ns is None else alert.ends_at_ns),
        "generatorURL": alert.generator_url,
    }
