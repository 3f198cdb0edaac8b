"""The webhook against a real socket: what it sends, and how every kind of answer is classified."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import pytest

from tests.integration.alerts.http_receiver import Receiver, receiver, said
from trading_orchestrator.errors import OrchestratorError, Refused, Transient
from trading_orchestrator.kernel.clock import SystemClock, VirtualClock
from trading_orchestrator.kernel.signature import SignatureRefused, verify
from trading_orchestrator.perpetual_operations.alerts.channels.http_answer import (
    LetterRefused,
    ReceiverFailing,
    ReceiverSilent,
    ReceiverUnreachable,
)
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter, ReceiverBusy
from trading_orchestrator.perpetual_operations.alerts.channels.retry_after import retry_after_s
from trading_orchestrator.perpetual_operations.alerts.channels.webhook.channel import open_webhook
from trading_orchestrator.perpetual_operations.alerts.channels.webhook.config import WebhookConfig
from trading_orchestrator.perpetual_operations.alerts.facts import NotificationDue, Notified
from trading_orchestrator.perpetual_operations.alerts.lane import ChannelLate, Lane

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


async def sent_to(one: Receiver, *, timeout_s: float = 5.0) -> str:
    config = WebhookConfig(url=f"http://127.0.0.1:{one.port}/hook", secret="env:HOOK", timeout_s=timeout_s)
    opening = Opening(VirtualClock(wall_ns=NOW_NS), {"env:HOOK": SECRET}.__getitem__, "http://here")
    webhook = open_webhook(config, opening)
    try:
        return await webhook.send(LETTER)
    finally:
        await webhook.close()


async def test_a_message_arrives_as_alertmanagers_json_signed_and_with_its_key() -> None:
    async with receiver(said("200 OK")) as one:
        assert "200" == await sent_to(one)

    told = json.loads(one.bodies[0])
    assert ("4", "firing", "r", "{}:{}") == tuple(told[key] for key in ("version", "status", "receiver", "groupKey"))
    assert {"alertname": "Down"} == told["commonLabels"] == told["groupLabels"]
    assert {"runbook": "down", "runbook_url": "http://here/runbooks/down"} == told["commonAnnotations"]
    assert ["0001-01-01T00:00:00Z", "2026-11-22T12:00:00.000000001Z"] == [one["endsAt"] for one in told["alerts"]]
    headers = one.headers(0)
    assert "journal-n-1" == headers["idempotency-key"]
    verify(one.bodies[0], headers["x-orchestrator-signature"], secret=SECRET, now_s=NOW_NS // 10**9)
    for body, now_s in ((one.bodies[0] + b" ", NOW_NS // 10**9), (one.bodies[0], NOW_NS // 10**9 + 301)):
        with pytest.raises(SignatureRefused):
            verify(body, headers["x-orchestrator-signature"], secret=SECRET, now_s=now_s)


async def test_an_address_that_is_a_secret_stands_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with receiver(said("200 OK")) as one:
        await sent_to(one)

    assert any("127.0.0.1" in record.getMessage() for record in caplog.records if record.name == "httpx2")
    assert [] == [record.getMessage() for record in caplog.records if "/hook" in record.getMessage()]


@pytest.mark.parametrize(
    ("answer", "error", "wait_s"),
    [
        (said("500 Oops"), ReceiverFailing, None),
        (said("429 Slowly", "Retry-After: 7"), ReceiverBusy, 7.0),
        (said("503 Away", "Retry-After: Sun, 22 Nov 2026 12:00:30 GMT"), ReceiverBusy, 30.0),
        (said("400 No"), LetterRefused, None),
        (said("302 There", "Location: http://127.0.0.1:1/"), LetterRefused, None),
        (b"what?\r\n\r\n", ReceiverSilent, None),
        (b"", ReceiverSilent, None),
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
        with pytest.raises(ReceiverSilent):
            await sent_to(one, timeout_s=0.2)


async def test_a_receiver_that_answers_drop_by_drop_is_given_up_by_its_lane() -> None:
    clock = SystemClock()
    dripped = asyncio.Event()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        with suppress(ConnectionError):
            while True:
                writer.write(b"x")
                await writer.drain()
                await clock.sleep(0.02)
        writer.close()
        dripped.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    config = WebhookConfig(url=url, timeout_s=0.5)
    lane = Lane("hook", open_webhook(config, Opening(clock, str)), config, clock)
    with pytest.raises(ChannelLate):
        await lane.tried(LETTER)
    await lane.close()
    await dripped.wait()
    server.close()


async def test_a_closed_door_is_known_to_have_heard_nothing() -> None:
    async with receiver(said("200 OK")) as one:
        pass
    with pytest.raises(ReceiverUnreachable):
        await sent_to(one)
    assert issubclass(ReceiverUnreachable, Transient)
    assert not issubclass(ReceiverUnreachable, Refused)


@pytest.mark.parametrize(
    ("header", "wait_s"), [(None, None), ("", None), ("soon", None), ("99999", 3600.0), ("0", 0.0)]
)
def test_what_retry_after_means(header: str | None, wait_s: float | None) -> None:
    assert wait_s == retry_after_s(header, now_s=SystemClock().wall_ns() / 1e9)
