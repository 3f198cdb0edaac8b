"""A real mail server on loopback that answers each command as a test tells it, and keeps the mails."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class MailServer:
    """`answers`: by command, or by address for RCPT, what is said instead of 250; "hang up" ends the connection."""

    answers: dict[str, str] = field(default_factory=dict)
    password: str | None = None
    tls: ssl.SSLContext | None = None
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
                tls_context=self.tls,
                auth_require_tls=False,
            )


def certificate(folder: Path) -> Path:
    """Return a file with key and certificate for 127.0.0.1, signed by nobody else."""
    path = folder / "server.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mx.example -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run([*command.split(), "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


@asynccontextmanager
async def mail_server(
    answers: Mapping[str, str] | None = None,
    *,
    password: str | None = None,
    tls: Path | None = None,
    at_once: bool = False,
) -> AsyncIterator[MailServer]:
    """Run a mail server on a free port of loopback.

    Args:
        tls: its certificate. at_once: TLS from the first byte, else by STARTTLS.
    """
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
    one = MailServer(dict(answers or {}), password, None if at_once else context)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(one.protocol, "127.0.0.1", 0, ssl=context if at_once else None)
    one.port = server.sockets[0].getsockname()[1]
    async with server:
        yield one
