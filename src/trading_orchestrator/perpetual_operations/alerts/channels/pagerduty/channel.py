"""The PagerDuty channel: one incident a thread, opened and resolved under one deduplication key."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.alerts.channels.address import address_of
from trading_orchestrator.perpetual_operations.alerts.channels.http_answer import post, private_client
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.pagerduty.config import PagerDutyConfig
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.facts import NotificationDue
from trading_orchestrator.perpetual_operations.alerts.templates.links import links_of
from trading_orchestrator.perpetual_operations.alerts.templates.scope import worst
from trading_orchestrator.perpetual_operations.alerts.templates.texts import Texts, read_texts
from trading_orchestrator.perpetual_operations.alerts.thread import Thread

SEVERITIES = ("critical", "error", "warning", "info")
TITLE_LEN = 1_024
TEXT_LEN = 100_000  # the API takes half a megabyte in all


class PagerDuty:
    """One service. The deduplication key names the thread: a second copy opens nothing, and the end closes it.

    A thread is a group, or all digests of a receiver; a call about several groups opens an incident for each, unless
    the group itself did. An event is sent for each, and all of them again when one failed.
    """

    def __init__(self, config: PagerDutyConfig, *, url: str, routing_key: str, texts: Texts, clock: Clock) -> None:
        self._url = url
        self._routing_key = routing_key
        self._texts = texts
        self._clock = clock
        self._client = private_client(config.timeout_s)

    async def send(self, letter: Letter) -> str:
        answers: dict[str, None] = {}
        for event in self._events(letter.message):
            response = await post(
                self._client,
                self._url,
                body=msgspec.json.encode(event),
                headers={"Content-Type": "application/json", "Idempotency-Key": letter.idempotency_key},
                now_s=self._clock.wall_ns() / 1e9,
            )
            answers[str(response.status_code)] = None
        return " ".join(answers) or "nothing to say: its incident goes on"

    async def close(self) -> None:
        await self._client.aclose()

    def _events(self, message: NotificationDue) -> Iterator[dict[str, object]]:
        """Yield what opens or goes on, then what is over. A digest of ends alone ends what it names, not its like."""
        if message.status == "firing":
            yield from ({**self._event("trigger", one), **self._said(message, one)} for one in message.all_threads())
        elif not message.digest_of:
            yield from (self._event("resolve", thread) for thread in message.all_threads())
        yield from (self._event("resolve", thread) for thread in message.ends)

    def _event(self, action: str, thread: Thread) -> dict[str, object]:
        return {"routing_key": self._routing_key, "event_action": action, "dedup_key": thread.name}

    def _said(self, message: NotificationDue, thread: Thread) -> dict[str, object]:
        words = self._texts.words(message)
        said = worst([alert.labels.get("severity", "") for alert in message.alerts])
        labels = message.alerts[0].labels if message.alerts else message.group_labels
        links = links_of(message.alerts[0], self._texts.external_url) if message.alerts else {}
        return {
            "payload": {
                "summary": words.subject[:TITLE_LEN],
                "source": labels.get("instance") or labels.get("host") or "trading-orchestrator",
                "severity": said if said in SEVERITIES else "error",
                "group": thread.group_key,
                "custom_details": {"text": words.text[:TEXT_LEN]},
            },
            "links": [{"href": url, "text": name} for name, url in links.items() if url.startswith("https://")],
        }


def open_pagerduty(config: PagerDutyConfig, opening: Opening) -> PagerDuty:
    """Return the channel, its key resolved and its texts read.

    Raises:
        UrlRefused, SecretRefused, TemplateRefused: the sentence is for the operator.
    """
    return PagerDuty(
        config,
        url=address_of(config.url, opening.reveal),
        routing_key=opening.reveal(config.routing_key),
        texts=read_texts(config.texts, opening.external_url),
        clock=opening.clock,
    )
