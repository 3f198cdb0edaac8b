"""E-mail against a real mail server: what it sends, and what every kind of answer means."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.integration.alerts.mail_server import MailServer, certificate, mail_server
from tests.unit.alerts.post import alert, letter, message, settle
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import SystemClock, VirtualClock
from trading_orchestrator.perpetual_operations.alerts.channels.email.channel import (
    Email,
    MailRefused,
    MailUnanswered,
    MailUnreachable,
    open_email,
)
from trading_orchestrator.perpetual_operations.alerts.channels.email.config import EmailConfig
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter, ReceiverBusy
from trading_orchestrator.perpetual_operations.alerts.lane import ChannelLate, Lane
from trading_orchestrator.perpetual_operations.alerts.thread import Thread, digests_of

pytestmark = pytest.mark.integration
URL = "https://ops.example"
ONE, OTHER = "one@people.example", "other@people.example"


def channel(server: MailServer, **settings: Any) -> Email:
    config: dict[str, Any] = {"host": "127.0.0.1", "sender": "alerts@desk.example", "to": (ONE,), "tls": "none"}
    opening = Opening(VirtualClock(), {"env:P": "right", "env:W": "wrong"}.__getitem__, URL)
    return open_email(EmailConfig(**(config | {"port": server.port} | settings)), opening)


async def test_a_mail_is_text_and_html_with_links_and_the_key_as_its_id() -> None:
    told = message(alerts=[alert("a", severity="critical", summary="The venue is <away>.", runbook="venue-away")])
    async with mail_server() as server:
        answer = await channel(server, to=(ONE, OTHER)).send(Letter(told, "journal-n-1"))

    assert "250 2.0.0 queued; 250 2.0.0 queued" == answer
    ((to, mail),) = server.mails
    assert [ONE, OTHER] == to
    assert "<journal-n-1@desk.example>" == mail["Message-ID"]
    assert "[FIRING] The venue is <away>. (critical, 1 firing)" == mail["Subject"]
    assert ("auto-generated", "1") == (mail["Auto-Submitted"], mail["X-Priority"])
    assert ["desk.example"] == server.said_hello
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert page is not None
    assert f"  runbook:  {URL}/runbooks/venue-away" in text.get_content().splitlines()
    assert "The venue is &lt;away&gt;." in page.get_content()
    assert f'<a href="{URL}/dashboard#alert-a">incident</a>' in page.get_content()
    assert f'<a href="{URL}/runbooks/venue-away">runbook</a>' in page.get_content()


async def test_mails_of_one_group_are_one_thread_and_equal_letters_equal_bytes() -> None:
    async with mail_server() as server:
        for name in ("n-1", "n-2", "n-2"):
            await channel(server).send(letter(name))

    first, second, _ = (mail for _, mail in server.mails)
    assert first["References"] == second["References"] == first["In-Reply-To"]
    assert first["Message-ID"] != second["Message-ID"]
    assert server.raw[1] == server.raw[2]


async def test_calls_and_what_digests_told_before_stand_in_the_thread_of_their_group() -> None:
    own = Thread("r", message().group_key)
    call = replace(
        message("contact-1", receiver="ann/mail"), group_key="contact-1", threads=(own, Thread("r", "other"))
    )
    digests = [replace(message(name), group_key=digests_of("r").group_key, digest_of=30) for name in ("d-1", "d-2")]
    later = replace(message("n-3"), after=(digests_of("r"),))
    async with mail_server() as server:
        for one in (message("n-1"), call, *digests, later):
            await channel(server).send(Letter(one, one.notification_id))

    first, called, digest, other, after = (mail for _, mail in server.mails)
    assert first["In-Reply-To"] == called["In-Reply-To"] == called["References"] == after["In-Reply-To"]
    assert digest["References"] == other["References"] != first["References"]
    assert f"{digest['References']} {first['References']}" == after["References"]


async def test_what_stands_in_a_label_becomes_no_header_and_no_markup() -> None:
    nasty = alert("a", summary="x\r\nBcc: all@people.example", chart_url="javascript:alert(1)")
    async with mail_server() as server:
        await channel(server).send(Letter(message(alerts=[nasty]), "key"))

    ((to, mail),) = server.mails
    assert [ONE] == to
    assert mail["Bcc"] is None
    page = mail.get_body(("html",))
    assert page is not None
    assert "chart: javascript:alert(1)" in page.get_content()
    assert 'href="javascript' not in page.get_content()


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({ONE: "451 4.7.1 greylisted"}, ReceiverBusy),
        ({ONE: "550 5.1.1 no such user"}, MailRefused),
        ({"MAIL": "452 4.3.1 no room"}, ReceiverBusy),
        ({"MAIL": "553 5.7.1 not yours"}, MailRefused),
        ({"DATA": "451 4.3.0 later"}, ReceiverBusy),
        ({"DATA": "554 5.6.0 spam"}, MailRefused),
        ({"DATA": "421 4.3.2 going down"}, MailUnreachable),
        ({"MAIL": "hang up"}, MailUnreachable),
        ({ONE: "hang up"}, MailUnreachable),
        ({"DATA": "hang up"}, MailUnanswered),
    ],
)
async def test_an_answer_says_what_to_do_next(answers: dict[str, str], error: type[OrchestratorError]) -> None:
    async with mail_server(answers) as server:
        with pytest.raises(error):
            await channel(server).send(letter())

    assert [] == server.mails


async def test_while_one_address_is_busy_the_other_gets_the_mail_once() -> None:
    async with mail_server({OTHER: "451 4.7.1 greylisted"}) as server:
        mail = channel(server, to=(ONE, OTHER))
        with pytest.raises(ReceiverBusy):
            await mail.send(letter())
        with pytest.raises(ReceiverBusy):
            await mail.send(letter())
        server.answers.clear()
        await mail.send(letter())

    assert [[ONE], [OTHER]] == [to for to, _ in server.mails]


async def test_an_address_that_is_refused_does_not_keep_the_mail_from_the_other() -> None:
    async with mail_server({OTHER: "550 5.1.1 no such user"}) as server:
        answer = await channel(server, to=(ONE, OTHER)).send(letter())

    assert "250 2.0.0 queued; answered 550 5.1.1 no such user" == answer


async def test_a_password_opens_the_server_and_a_wrong_one_is_final_and_untold() -> None:
    async with mail_server(password="right") as server:
        await channel(server, username="me", password="env:P").send(letter())
        with pytest.raises(MailRefused, match="535") as refused:
            await channel(server, username="me", password="env:W").send(letter())

    assert 1 == len(server.mails)
    assert "wrong" not in f"{refused.value}{refused.value.facts}"


async def test_nothing_is_said_to_a_server_that_cannot_encrypt_when_it_must() -> None:
    async with mail_server(password="right") as server:
        with pytest.raises(MailUnreachable):
            await channel(server, tls="starttls", username="me", password="env:P").send(letter())

    assert [] == server.mails


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_password_goes_only_to_a_server_whose_certificate_is_trusted(
    tls: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = certificate(tmp_path)
    async with mail_server(password="right", tls=path, at_once=tls == "tls") as server:
        mail = channel(server, tls=tls, username="me", password="env:P")
        with pytest.raises(MailUnreachable):
            await mail.send(letter())
        assert [] == server.mails
        monkeypatch.setenv("SSL_CERT_FILE", f"{path}.crt")
        await mail.send(letter())

    assert 1 == len(server.mails)


async def test_a_server_that_is_not_there_heard_nothing() -> None:
    async with mail_server() as server:
        pass
    with pytest.raises(MailUnreachable):
        await channel(server).send(letter())


@pytest.mark.parametrize("command", ["MAIL", "DATA"])
async def test_a_server_that_says_nothing_is_given_up_within_the_lanes_time(command: str) -> None:
    clock = VirtualClock()
    async with mail_server({command: "nothing"}) as server:
        config = EmailConfig(host="127.0.0.1", port=server.port, sender="a@b.example", to=(ONE,), tls="none")
        lane = Lane("mail", channel(server), config, clock)
        trying = asyncio.ensure_future(lane.tried(letter()))
        while not server.said_hello:
            await SystemClock().sleep(0.005)
        await settle(clock, 30)
        with pytest.raises(ChannelLate):
            await trying

    assert [] == server.mails
