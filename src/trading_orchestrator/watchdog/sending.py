"""How the watchdog tells: a POST or a mail by the standard library alone, one connection each, nothing kept open."""

from __future__ import annotations

import json
import smtplib
import ssl
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import formatdate
from http.client import HTTPException, HTTPMessage
from typing import IO

from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.signature import HEADER, signed
from trading_orchestrator.watchdog.config import MailTo
from trading_orchestrator.watchdog.watch import News, Notice

NAME, RUNBOOK = "SystemSilent", "system-silent"
NEVER = "0001-01-01T00:00:00Z"
Send = Callable[[Notice, int], None]


class NotTold(Transient):
    """This way did not take the notice. Facts: way."""

    code = "watchdog.not_told"


def poster(*, url: str, secret: str | None, host: str, timeout_s: float) -> Send:
    """Return what POSTs a notice as Alertmanager's webhook JSON; it raises NotTold when nobody took it."""
    opener = urllib.request.build_opener(_NoRedirect)

    def send(notice: Notice, at_wall_ns: int) -> None:
        body = json.dumps(_as_alertmanager(notice, host, at_wall_ns)).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": notice.key}
        if secret is not None:
            headers[HEADER] = signed(body, secret=secret, at_s=at_wall_ns // 1_000_000_000)
        request = urllib.request.Request(url, data=body, headers=headers, method="POST")
        try:
            with opener.open(request, timeout=timeout_s):
                return
        except (OSError, ValueError, HTTPException) as error:
            status = getattr(error, "code", None)
            raise NotTold(f"post: {f'answered {status}' if status else type(error).__name__}", way="post") from None

    return send


def mailer(to: MailTo, *, password: str | None, host: str, timeout_s: float) -> Send:
    """Return what mails a notice; it raises NotTold when the server did not take it."""

    def send(notice: Notice, at_wall_ns: int) -> None:
        try:
            with _connected(to, timeout_s) as server:
                if to.username is not None and password is not None:
                    server.login(to.username, password)
                server.send_message(_mail(notice, to, host, at_wall_ns))
        except (OSError, ValueError, smtplib.SMTPException) as error:
            status = getattr(error, "smtp_code", None)
            raise NotTold(f"mail: {f'answered {status}' if status else type(error).__name__}", way="mail") from None

    return send


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A signed body goes nowhere but where it was meant to."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        return None


def _connected(to: MailTo, timeout_s: float) -> smtplib.SMTP:
    if to.tls == "tls":
        return smtplib.SMTP_SSL(to.host, to.port, timeout=timeout_s, context=ssl.create_default_context())
    server = smtplib.SMTP(to.host, to.port, local_hostname=to.sender.partition("@")[2], timeout=timeout_s)
    if to.tls == "starttls":
        server.starttls(context=ssl.create_default_context())
    return server


def _mail(notice: Notice, to: MailTo, host: str, at_wall_ns: int) -> EmailMessage:
    mail = EmailMessage()
    domain = to.sender.partition("@")[2]
    mail["From"], mail["To"] = to.sender, ", ".join(to.to)
    mail["Subject"] = f"[{_status(notice).upper()}] {notice.summary}"
    mail["Date"] = formatdate(at_wall_ns / 1e9)
    mail["Message-ID"] = f"<{notice.key}@{domain}>"
    mail["References"] = f"<watchdog-{notice.since_boot_ns}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    if notice.news is News.SILENT:
        mail["X-Priority"] = "1"
    mail.set_content(
        f"{notice.summary}\n\nHost: {host}\nLook at: systemctl status 'trading-orchestrator*', the disk, the host.\n"
        "This mail comes from the watchdog, a process of its own.\n"
    )
    return mail


def _as_alertmanager(notice: Notice, host: str, at_wall_ns: int) -> dict[str, object]:
    status = _status(notice)
    labels = {"alertname": NAME, "severity": "critical", "host": host}
    annotations = {"summary": notice.summary, "runbook": RUNBOOK}
    at = f"{datetime.fromtimestamp(at_wall_ns // 1_000_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    alert = {
        "status": status,
        "labels": labels,
        "annotations": annotations,
        "startsAt": at,
        "endsAt": at if status == "resolved" else NEVER,
        "generatorURL": "",
        "fingerprint": f"watchdog-{host}",
    }
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{NAME}"}}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "watchdog",
        "groupLabels": {"alertname": NAME},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "",
        "alerts": [alert],
    }


def _status(notice: Notice) -> str:
    return "firing" if notice.news is News.SILENT else "resolved"
