"""The PagerDuty channel: one incident a group, opened and resolved under one deduplication key."""

from __future__ import annotations

import msgspec

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.ids import digest_base32
from trading_orchestrator.perpetual_operations.alerts.channels.http_answer import post, private_client
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.pagerduty.config import PagerDutyConfig
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.templates.links import links_of
from trading_orchestrator.perpetual_operations.alerts.templates.scope import worst
from trading_orchestrator.perpetual_operations.alerts.templates.texts import Texts, read_texts

SEVERITIES = ("critical", "error", "warning", "info")
TITLE_LEN = 1_024
TEXT_LEN = 100_000  # the API takes half a megabyte in all


class PagerDuty:
    """One service. The deduplication key names the group: a second copy opens nothing, and the end closes it."""

    def __init__(self, config: PagerDutyConfig, *, routing_key: str, texts: Texts, clock: Clock) -> None:
        self._url = config.url
        self._routing_key = routing_key
        self._texts = texts
        self._clock = clock
        self._client = private_client(config.timeout_s)

    async def send(self, letter: Letter) -> str:
        response = await post(
            self._client,
            self._url,
            body=msgspec.json.encode(self._event(letter)),
            headers={"Content-Type": "application/json", "Idempotency-Key": letter.idempotency_key},
            now_s=self._clock.wall_ns() / 1e9,
        )
        return str(response.status_code)

    async def close(self) -> None:
        await self._client.aclose()

    def _event(self, letter: Letter) -> dict[str, object]:
        message = letter.message
        event: dict[str, object] = {
            "routing_key": self._routing_key,
            "event_action": "trigger" if message.status == "firing" else "resolve",
            "dedup_key": digest_base32(message.receiver, message.group_key),
        }
        if message.status != "firing":
            return event
        words = self._texts.words(message)
        said = worst([alert.labels.get("severity", "") for alert in message.alerts])
        labels = message.alerts[0].labels if message.alerts else message.group_labels
        links = links_of(message.alerts[0], self._texts.external_url) if message.alerts else {}
        return event | {
            "payload": {
                "summary": words.subject[:TITLE_LEN],
                "source": labels.get("instance") or labels.get("host") or "trading-orchestrator",
                "severity": said if said in SEVERITIES else "error",
                "group": message.group_key,
                "custom_details": {"text": words.text[:TEXT_LEN]},
            },
            "links": [{"href": url, "text": name} for name, url in links.items() if url.startswith("https://")],
        }


def open_pagerduty(config: PagerDutyConfig, opening: Opening) -> PagerDuty:
    """Return the channel, its key resolved and its texts read."""
    return PagerDuty(
        config,
        routing_key=opening.reveal(config.routing_key),
        texts=read_texts(config.texts, opening.external_url),
        clock=opening.clock,
    )
