"""SMS by Apprise against a Twilio-shaped receiver: what it sends, and what every kind of answer means."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs

import psutil
import pytest

from tests.integration.alerts.http_receiver import Receiver, receiver, said
from tests.unit.alerts.post import alert, letter, message, settle
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import SystemClock, VirtualClock
from trading_orchestrator.perpetual_operations.alerts.channels.apprise.channel import (
    AddressRefused,
    AppriseService,
    ServiceSilent,
    ServiceUnreachable,
    open_apprise,
)
from trading_orchestrator.perpetual_operations.alerts.channels.apprise.config import AppriseConfig
from trading_orchestrator.perpetual_operations.alerts.channels.http_answer import LetterRefused, ReceiverFailing
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter, ReceiverBusy
from trading_orchestrator.perpetual_operations.alerts.lane import ChannelLate, Lane

pytestmark = pytest.mark.integration
SID, TOKEN = "AC" + "0" * 32, "f" * 32
SMS = f"twilio://{SID}:{TOKEN}@15550100000/15550100001"
SENT = json.dumps({"sid": "SM" + "0" * 32, "status": "queued"})


def channel(one: Receiver, url: str = SMS, **settings: Any) -> AppriseService:
    config = AppriseConfig(url="env:SMS", gateway_url=f"http://127.0.0.1:{one.port}/gate", **settings)
    return open_apprise(config, Opening(VirtualClock(), {"env:SMS": url}.__getitem__, "https://ops.example"))


def senders() -> list[psutil.Process]:
    """Return our own children that send for us."""
    return [one for one in psutil.Process().children() if "apprise.sender" in " ".join(one.cmdline())]


async def test_an_sms_is_one_line_to_the_number_under_our_key() -> None:
    told = Letter(message(alerts=[alert("a", severity="critical", summary="The venue is away.")]), "journal-n-1")
    async with receiver(said("201 Created", body=SENT)) as one:
        assert "201" == await channel(one).send(told)

    head, fields = one.heads[0], parse_qs(one.bodies[0].decode())
    assert head.startswith(f"POST /gate/2010-04-01/Accounts/{SID}/Messages.json ")
    assert "journal-n-1" == one.headers(0)["idempotency-key"]
    assert "api.twilio.com" == one.headers(0)["x-forwarded-host"]
    assert (["+15550100000"], ["+15550100001"]) == (fields["From"], fields["To"])
    assert ["FIRING critical: The venue is away. (1 firing) https://ops.example/dashboard#alert-a"] == fields["Body"]
    assert [] == senders()


@pytest.mark.parametrize(
    ("answer", "error", "wait_s"),
    [
        (said("429 Too Many Requests", "Retry-After: 7", body="{}"), ReceiverBusy, 7.0),
        (said("500 Oops", body="{}"), ReceiverFailing, None),
        (said("401 Who are you", body="{}"), LetterRefused, None),
        (b"what?\r\n\r\n", ServiceSilent, None),
        (b"", ServiceSilent, None),
    ],
)
async def test_an_answer_says_what_to_do_next(
    answer: bytes, error: type[OrchestratorError], wait_s: float | None
) -> None:
    async with receiver(answer) as one:
        with pytest.raises(error) as raised:
            await channel(one).send(letter())

    assert wait_s == getattr(raised.value, "retry_after_s", None)
    assert TOKEN not in f"{raised.value} {raised.value.facts}"
    assert 1 == len(one.bodies)


async def test_a_slow_answer_is_waited_for() -> None:
    async with receiver(said("201 Created", body=SENT)) as one:
        one.goes_on = asyncio.Event()
        sending = asyncio.ensure_future(channel(one).send(letter()))
        while not one.bodies:
            await SystemClock().sleep(0.01)
        assert not sending.done()
        one.goes_on.set()
        assert "201" == await sending

    assert 1 == len(one.bodies)


async def test_an_answer_slower_than_the_channel_waits_is_none_and_the_next_try_says_the_same() -> None:
    async with receiver(said("201 Created", body=SENT)) as one:
        one.goes_on = asyncio.Event()
        with pytest.raises(ServiceSilent):
            await channel(one, timeout_s=0.5).send(letter())
        one.goes_on.set()
        assert "201" == await channel(one).send(letter())

    assert 2 == len(one.bodies)
    assert one.bodies[0] == one.bodies[1]
    assert one.headers(0)["idempotency-key"] == one.headers(1)["idempotency-key"]


async def test_a_receiver_that_says_nothing_is_given_up_and_its_process_killed() -> None:
    clock = VirtualClock()
    async with receiver(None) as one:
        config = AppriseConfig(url="env:SMS")
        lane = Lane("sms", channel(one), config, clock)
        trying = asyncio.ensure_future(lane.tried(letter()))
        while not one.bodies:
            await SystemClock().sleep(0.01)
        assert 1 == len(senders())
        await settle(clock, config.timeout_s)
        with pytest.raises(ChannelLate):
            await trying
        assert [] == senders()


async def test_a_closed_door_is_known_to_have_heard_nothing() -> None:
    async with receiver(said("200 OK")) as one:
        pass
    with pytest.raises(ServiceUnreachable):
        await channel(one).send(letter())


async def test_an_address_that_apprise_does_not_know_is_refused_and_not_repeated() -> None:
    async with receiver(said("200 OK")) as one:
        with pytest.raises(AddressRefused, match="env:SMS") as refused:
            await channel(one, url="nothing-like-it://secret-token").send(letter())

    assert "secret-token" not in f"{refused.value} {refused.value.facts}"
    assert [] == one.bodies


async def test_an_address_is_looked_at_without_a_word_sent() -> None:
    async with receiver(said("200 OK")) as one:
        await channel(one).check()
        with pytest.raises(AddressRefused, match="env:SMS") as refused:
            await channel(one, url="nothing-like-it://secret-token").check()

    assert "secret-token" not in f"{refused.value} {refused.value.facts}"
    assert [] == one.bodies


async def test_a_host_too_slow_to_look_at_an_address_refuses_none(caplog: pytest.LogCaptureFixture) -> None:
    async with receiver(said("200 OK")) as one:
        await channel(one, url="nothing-like-it://secret-token", timeout_s=0.001).check()

    assert ["whether Apprise knows the address of env:SMS was not found out"] == caplog.messages
    assert [] == senders()


async def test_another_service_gets_a_title_and_the_whole_text() -> None:
    async with receiver(said("200 OK", body="{}")) as one:
        await channel(one, url="ntfys://alerts-topic", short=False).send(letter())

    told = json.loads(one.bodies[0])
    assert ("alerts-topic", "[FIRING] Down (warning, 1 firing)") == (told["topic"], told["title"])
    assert "runbook:" in told["message"]
