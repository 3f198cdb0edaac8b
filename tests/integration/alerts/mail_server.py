"""A real mail server on loopback that answers each command as a test tells it, and keeps the mails."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class MailServer:
    """`answers`: by command, or by address for RCPT, what is said instead of 250; "hang up" ends the connection."""

    answers: dict[str, str] = field(default_factory=dict)
    password: str | None = None
    port: int = 0
    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    said_hello: list[str] = field(default_factory=list)

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's names
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.said_hello.append(hostname)
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return await self._said("MAIL", server)

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await self._said(address, server)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = await self._said("DATA", server)
        content = bytes(envelope.content or b"")
        if answer.startswith("250"):
            self.raw.append(content)
            mail = message_from_bytes(content, policy=default)
            assert isinstance(mail, EmailMessage)
            self.mails.append((list(envelope.rcpt_tos), mail))
        return answer

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data.password.decode() == self.password, handled=False)

    async def _said(self, what: str, server: SMTP) -> str:
        answer = self.answers.get(what, "250 2.0.0 queued")
        if answer == "hang up":
            server.transport.abort()
        if answer == "nothing":
            await asyncio.Event().wait()
        return answer

    def protocol(self) -> SMTP:
        needs = self.password is not None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a password without TLS is what loopback is for
            return SMTP(
                self,
                hostname="mx.example",
                enable_SMTPUTF8=False,
                authenticator=self.authenticate if needs else None,
                auth_required=needs,
                auth_require_tls=False,
            )


@asynccontextmanager
async def mail_server(password: str | None = None, **answers: str) -> AsyncIterator[MailServer]:
    """Run a mail server on a free port of loopback."""
    one = MailServer(answers, password)
    server = await asyncio.get_running_loop().create_server(one.protocol, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    async with server:
        yield one
