"""The webhook against a real socket: what it sends, and how every kind of answer is classified."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from trading_orchestrator.errors import OrchestratorError, Refused, Transient
from trading_orchestrator.kernel.clock import SystemClock, VirtualClock
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.channels.webhook.channel import (
    Webhook,
    WebhookNotNow,
    WebhookRefused,
    WebhookUnanswered,
    WebhookUnreachable,
)
from trading_orchestrator.perpetual_operations.alerts.channels.webhook.config import WebhookConfig
from trading_orchestrator.perpetual_operations.alerts.channels.webhook.retry_after import retry_after_s
from trading_orchestrator.perpetual_operations.alerts.channels.webhook.signature import SignatureRefused, verify
from trading_orchestrator.perpetual_operations.alerts.facts import NotificationDue, Notified

pytestmark = pytest.mark.integration
NOW_NS = 1_795_348_800_000_000_000
SECRET = "only-for-this-test"


def alert(host: str, ends_at_ns: int | None = None) -> Notified:
    return Notified(
        fingerprint=host,
        status="firing" if ends_at_ns is None else "resolved",
        labels={"alertname": "Down", "host": host},
        annotations={"runbook": "down"},
        starts_at_ns=NOW_NS,
        ends_at_ns=ends_at_ns,
    )


LETTER = Letter(
    NotificationDue(
        notification_id="n-1",
        group_id="g",
        group_key="{}:{}",
        receiver="r",
        status="firing",
        group_labels={"alertname": "Down"},
        alerts=(alert("a"), alert("b", NOW_NS + 1)),
        firing=("a",),
        resolved=("b",),
        settled=(),
        at_ns=NOW_NS,
        next_due_ns=0,
        deadline_ns=0,
        expires_at_ns=0,
    ),
    "journal-n-1",
)


@dataclass
class Receiver:
    """A server that reads one request a connection and answers these bytes; None: it only listens."""

    answer: bytes | None
    port: int = 0
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    serving: set[asyncio.Task[object]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-len"))
        self.heads.append(head)
        self.bodies.append(await reader.readexactly(length))
        if self.answer is None:
            await reader.read()
        else:
            writer.write(self.answer)
            await writer.drain()
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def receiver(answer: bytes | None) -> AsyncIterator[Receiver]:
    one = Receiver(answer)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    async with server:
        yield one
        await asyncio.gather(*one.serving, return_exceptions=True)


async def sent_to(one: Receiver, *, timeout_s: float = 5.0) -> str:
    config = WebhookConfig(url=f"http://127.0.0.1:{one.port}/hook", timeout_s=timeout_s, external_url="http://here")
    webhook = Webhook(config, clock=VirtualClock(wall_ns=NOW_NS), secret=SECRET)
    try:
        return await webhook.send(LETTER)
    finally:
        await webhook.close()


def said(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", "Content-Length: 0", *headers, "", ""]).encode()


async def test_a_message_arrives_as_alertmanagers_json_signed_and_with_its_key() -> None:
    async with receiver(said("200 OK")) as one:
        assert "200" == await sent_to(one)

    told = json.loads(one.bodies[0])
    assert ("4", "firing", "r", "{}:{}") == tuple(told[key] for key in ("version", "status", "receiver", "groupKey"))
    assert {"alertname": "Down"} == told["commonLabels"] == told["groupLabels"]
    assert {"runbook": "down"} == told["commonAnnotations"]
    assert ["0001-01-01T00:00:00Z", "2026-11-22T12:00:00.000000001Z"] == [one["endsAt"] for one in told["alerts"]]
    headers = dict(line.split(": ", 1) for line in one.heads[0].splitlines() if ": " in line)
    headers = {name.lower(): value for name, value in headers.items()}
    assert "journal-n-1" == headers["idempotency-key"]
    verify(one.bodies[0], headers["x-orchestrator-signature"], secret=SECRET, now_s=NOW_NS // 10**9)
    for body, now_s in ((one.bodies[0] + b" ", NOW_NS // 10**9), (one.bodies[0], NOW_NS // 10**9 + 301)):
        with pytest.raises(SignatureRefused):
            verify(body, headers["x-orchestrator-signature"], secret=SECRET, now_s=now_s)


@pytest.mark.parametrize(
    ("answer", "error", "wait_s"),
    [
        (said("500 Oops"), WebhookNotNow, None),
        (said("429 Slowly", "Retry-After: 7"), WebhookNotNow, 7.0),
        (said("503 Away", "Retry-After: Sun, 22 Nov 2026 12:00:30 GMT"), WebhookNotNow, 30.0),
        (said("400 No"), WebhookRefused, None),
        (said("302 There", "Location: http://127.0.0.1:1/"), WebhookRefused, None),
        (b"what?\r\n\r\n", WebhookUnanswered, None),
        (b"", WebhookUnanswered, None),
    ],
)
async def test_an_answer_says_what_to_do_next(
    answer: bytes, error: type[OrchestratorError], wait_s: float | None
) -> None:
    async with receiver(answer) as one:
        with pytest.raises(error) as raised:
            await sent_to(one)

    assert wait_s == getattr(raised.value, "retry_after_s", None)
    assert 1 == len(one.bodies)


async def test_a_receiver_that_says_nothing_is_given_up_within_the_time_out() -> None:
    async with receiver(None) as one:
        with pytest.raises(WebhookUnanswered):
            await sent_to(one, timeout_s=0.2)


async def test_a_closed_door_is_known_to_have_heard_nothing() -> None:
    async with receiver(said("200 OK")) as one:
        pass
    with pytest.raises(WebhookUnreachable):
        await sent_to(one)
    assert issubclass(WebhookUnreachable, Transient)
    assert not issubclass(WebhookUnreachable, Refused)


@pytest.mark.parametrize(
    ("header", "wait_s"), [(None, None), ("", None), ("soon", None), ("99999", 3600.0), ("0", 0.0)]
)
def test_what_retry_after_means(header: str | None, wait_s: float | None) -> None:
    assert wait_s == retry_after_s(header, now_s=SystemClock().wall_ns() / 1e9)
