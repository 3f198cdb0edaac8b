"""The Alertmanager channel: forwards the alerts of a message by API v2, so that another one can route them on.

An alert that fires is given an end beyond our next repetition: an Alertmanager forgets what is not told again, and we
repeat by our own interval. Its real end follows with the resolved message. Over its restart an Alertmanager forgets
everything, so what fires is posted again each minute, as Prometheus does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.alerts.channels.address import address_of
from trading_orchestrator.perpetual_operations.alerts.channels.alertmanager.config import AlertmanagerConfig
from trading_orchestrator.perpetual_operations.alerts.channels.http_answer import post, private_client
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.facts import Notified
from trading_orchestrator.perpetual_operations.alerts.rfc3339 import rfc3339
from trading_orchestrator.perpetual_operations.alerts.sizing import in_lots

PATH = "/api/v2/alerts"
JSON = {"Content-Type": "application/json"}
LEAST_LASTS_NS = 300_000_000_000
ALERTS_A_POST = 1_000


class Alertmanager:
    """One Alertmanager. All alerts that a message stands for go on, in several posts where they are many.

    When one of the posts fails, all are made again: telling an alert twice changes nothing there.
    """

    def __init__(self, config: AlertmanagerConfig, *, url: str, clock: Clock) -> None:
        self._url = url.rstrip("/") + PATH
        self._clock = clock
        self._client = private_client(config.timeout_s)

    async def send(self, letter: Letter) -> str:
        now_ns = self._clock.wall_ns()
        alerts = [*letter.message.alerts, *letter.unlisted()]
        headers = {**JSON, "Idempotency-Key": letter.idempotency_key}
        lasts_until_ns = max(letter.message.expires_at_ns, now_ns + LEAST_LASTS_NS)
        return f"{await self._posted(alerts, lasts_until_ns, headers)}, alerts: {len(alerts)}"

    async def tell_again(self, alerts: Sequence[Notified]) -> None:
        await self._posted(alerts, self._clock.wall_ns() + LEAST_LASTS_NS, JSON)

    async def _posted(self, alerts: Sequence[Notified], lasts_until_ns: int, headers: Mapping[str, str]) -> str:
        now_s = self._clock.wall_ns() / 1e9
        answers: dict[str, None] = {}
        for lot in in_lots(alerts, ALERTS_A_POST):
            body = body_of(lot, lasts_until_ns)
            response = await post(self._client, self._url, body=body, headers=headers, now_s=now_s)
            answers[str(response.status_code)] = None
        return " ".join(answers)

    async def close(self) -> None:
        await self._client.aclose()


def open_alertmanager(config: AlertmanagerConfig, opening: Opening) -> Alertmanager:
    """Return the channel, its address resolved.

    Raises:
        UrlRefused, SecretRefused: the sentence is for the operator.
    """
    return Alertmanager(config, url=address_of(config.url, opening.reveal), clock=opening.clock)


def body_of(alerts: Sequence[Notified], lasts_until_ns: int) -> bytes:
    """Return the alerts as API v2 takes them; what fires is said to last until then."""
    return msgspec.json.encode([_alert(alert, lasts_until_ns) for alert in alerts])


def _alert(alert: Notified, lasts_until_ns: int) -> dict[str, object]:
    return {
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": rfc3339(alert.starts_at_ns),
        "endsAt": rfc3339(lasts_until_ns if alert.ends_at_ns is None else alert.ends_at_ns),
        "generatorURL": alert.generator_url,
    }
