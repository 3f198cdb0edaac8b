"""The webhook channel: POSTs a message as Alertmanager's JSON, signed."""

from __future__ import annotations

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.signature import HEADER, signed
from trading_orchestrator.perpetual_operations.alerts.channels.address import address_of
from trading_orchestrator.perpetual_operations.alerts.channels.http_answer import post, private_client
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.channels.webhook.body import body_of
from trading_orchestrator.perpetual_operations.alerts.channels.webhook.config import WebhookConfig


class Webhook:
    """One URL."""

    def __init__(
        self, config: WebhookConfig, *, url: str, clock: Clock, secret: str | None = None, external_url: str = ""
    ) -> None:
        self._url = url
        self._clock = clock
        self._secret = secret
        self._external_url = external_url
        self._client = private_client(config.timeout_s)

    async def send(self, letter: Letter) -> str:
        body = body_of(letter.message, self._external_url)
        headers = {"Content-Type": "application/json", "Idempotency-Key": letter.idempotency_key}
        now_s = self._clock.wall_ns() / 1e9
        if self._secret is not None:
            headers[HEADER] = signed(body, secret=self._secret, at_s=int(now_s))
        response = await post(self._client, self._url, body=body, headers=headers, now_s=now_s)
        return str(response.status_code)

    async def close(self) -> None:
        await self._client.aclose()


def open_webhook(config: WebhookConfig, opening: Opening) -> Webhook:
    """Return the channel, its secrets resolved.

    Raises:
        UrlRefused, SecretRefused: the sentence is for the operator.
    """
    return Webhook(
        config,
        url=address_of(config.url, opening.reveal),
        clock=opening.clock,
        secret=None if config.secret is None else opening.reveal(config.secret),
        external_url=opening.external_url,
    )
