"""The Apprise channel: one short-lived process a message, killed when its time is over."""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio.subprocess import DEVNULL, PIPE

import msgspec

from trading_orchestrator.errors import Refused, Transient, Unknown
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.perpetual_operations.alerts.channels.apprise.config import AppriseConfig
from trading_orchestrator.perpetual_operations.alerts.channels.apprise.talk import Errand, Reply
from trading_orchestrator.perpetual_operations.alerts.channels.http_answer import judge
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.facts import NotificationDue
from trading_orchestrator.perpetual_operations.alerts.templates.scope import worst
from trading_orchestrator.perpetual_operations.alerts.templates.texts import Texts, read_texts

log = logging.getLogger(__name__)
SENDER = "trading_orchestrator.perpetual_operations.alerts.channels.apprise.sender"
KINDS = {"critical": "failure", "error": "failure", "warning": "warning"}


class AddressRefused(Refused):
    """Apprise does not understand the address; it is not repeated, for it holds secrets. Facts: reference."""

    code = "alerts.apprise_address_refused"


class ServiceUnreachable(Transient):
    """No connection was made, so nothing was sent."""

    code = "alerts.apprise_unreachable"


class ServiceSilent(Unknown):
    """It was sent, or may have been, and no answer was understood."""

    code = "alerts.apprise_silent"


class AppriseService:
    """One address of one service.

    A message to several targets is one message: where only some were reached, all of them get it again, under the same
    key (in the header `Idempotency-Key`, which services that do not know it leave alone).
    """

    def __init__(self, config: AppriseConfig, *, url: str, texts: Texts, clock: Clock) -> None:
        self._config = config
        self._url = url
        self._texts = texts
        self._clock = clock

    async def send(self, letter: Letter) -> str:
        reply = await self._asked(self._errand(letter))
        self._check_known(reply)
        if reply.is_sent:
            return " ".join(str(status) for status in reply.statuses) or "sent"
        if reply.failure == "unreachable":
            raise ServiceUnreachable("no connection")
        if reply.failure is not None or not reply.statuses:
            raise ServiceSilent("no answer")
        worst_status = max(reply.statuses)
        judge(worst_status, reply.retry_after, self._clock.wall_ns() / 1e9)
        raise ServiceSilent(f"answered {worst_status}, and Apprise did not understand it")

    async def close(self) -> None:
        return

    async def check(self) -> None:
        """Have Apprise read the address, and nothing else: 0.4 s. A host that is too slow for that proves nothing.

        Raises:
            AddressRefused: no message could be sent there.
        """
        look = Errand(url=self._url, title="", body="", kind="info", idempotency_key="", timeout_s=0.0, only_look=True)
        try:
            async with asyncio.timeout(self._config.timeout_s):
                self._check_known(await self._asked(look))
        except (TimeoutError, ServiceSilent):
            log.warning("whether Apprise knows the address of %s was not found out", self._config.url)

    def _check_known(self, reply: Reply) -> None:
        if not reply.is_address:
            raise AddressRefused(
                f"Apprise does not understand what {self._config.url} leads to", reference=self._config.url
            )

    def _errand(self, letter: Letter) -> Errand:
        words = self._texts.words(letter.message)
        return Errand(
            url=self._url,
            title="" if self._config.short else words.subject,
            body=words.text,
            kind=_kind(letter.message),
            idempotency_key=letter.idempotency_key,
            timeout_s=self._config.timeout_s,
            gateway_url=self._config.gateway_url,
        )

    async def _asked(self, errand: Errand) -> Reply:
        sender = await asyncio.create_subprocess_exec(
            sys.executable, "-m", SENDER, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
        )
        try:
            said, _ = await sender.communicate(msgspec.json.encode(errand))
        finally:
            if sender.returncode is None:  # cancelled: its time is over
                sender.kill()
                await sender.wait()
        try:
            return msgspec.json.decode(said, type=Reply)
        except msgspec.DecodeError:
            raise ServiceSilent(f"the sending process ended with {sender.returncode} and without a reply") from None


def open_apprise(config: AppriseConfig, opening: Opening) -> AppriseService:
    """Return the channel, its address resolved and its texts read."""
    return AppriseService(
        config,
        url=opening.reveal(config.url),
        texts=read_texts(config.texts, opening.external_url, is_short=config.short),
        clock=opening.clock,
    )


def _kind(message: NotificationDue) -> str:
    """Apprise's own words for how bad it is; services make colours and icons of them."""
    if message.status != "firing":
        return "success"
    return KINDS.get(worst([alert.labels.get("severity", "") for alert in message.alerts]), "info")
