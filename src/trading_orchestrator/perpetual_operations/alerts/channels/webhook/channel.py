"""The webhook channel: POSTs a message and classifies the answer."""

from __future__ import annotations

import httpx2

from trading_orchestrator.errors import Refused, Transient, Unknown
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.channels.webhook.body import body_of
from trading_orchestrator.perpetual_operations.alerts.channels.webhook.config import WebhookConfig
from trading_orchestrator.perpetual_operations.alerts.channels.webhook.retry_after import retry_after_s
from trading_orchestrator.perpetual_operations.alerts.channels.webhook.signature import HEADER, signed

TRY_AGAIN = frozenset({408, 425, 429})


class WebhookUnreachable(Transient):
    """No connection was made, so nothing was sent. Facts: error."""

    code = "alerts.webhook_unreachable"


class WebhookNotNow(Transient):
    """The receiver asks to come back later. Facts: status."""

    code = "alerts.webhook_not_now"


class WebhookUnanswered(Unknown):
    """It was sent and no answer could be read. Facts: error."""

    code = "alerts.webhook_unanswered"


class WebhookRefused(Refused):
    """The receiver does not take this message. Facts: status."""

    code = "alerts.webhook_refused"


class Webhook:
    """One URL. Redirects are not followed: a signed body goes nowhere but where it was meant to."""

    def __init__(self, config: WebhookConfig, *, clock: Clock, secret: str | None = None) -> None:
        self._config = config
        self._clock = clock
        self._secret = secret
        self._client = httpx2.AsyncClient(timeout=config.timeout_s, follow_redirects=False)

    async def send(self, letter: Letter) -> str:
        body = body_of(letter.message, self._config.external_url)
        headers = {"Content-Type": "application/json", "Idempotency-Key": letter.idempotency_key}
        now_s = self._clock.wall_ns() / 1e9
        if self._secret is not None:
            headers[HEADER] = signed(body, secret=self._secret, at_s=int(now_s))
        try:
            response = await self._client.post(self._config.url, content=body, headers=headers)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise WebhookUnreachable(f"no connection: {error}", error=type(error).__name__) from None
        except httpx2.HTTPError as error:
            raise WebhookUnanswered(f"no answer: {error}", error=type(error).__name__) from None
        return _judged(response.status_code, response.headers.get("Retry-After"), now_s)

    async def close(self) -> None:
        await self._client.aclose()


def _judged(status: int, retry_after: str | None, now_s: float) -> str:
    if 200 <= status < 300:
        return str(status)
    if status >= 500 or status in TRY_AGAIN:
        wait_s = retry_after_s(retry_after, now_s=now_s)
        raise WebhookNotNow(f"answered {status}", retry_after_s=wait_s, status=status)
    raise WebhookRefused(f"answered {status}", status=status)
