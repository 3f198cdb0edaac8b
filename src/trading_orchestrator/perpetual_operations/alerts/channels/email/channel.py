"""The e-mail channel: one connection a mail, and every answer of the server read for what it means."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from aiosmtplib import SMTP
from aiosmtplib.errors import SMTPException, SMTPResponseException

from trading_orchestrator.errors import OrchestratorError, Refused, Transient, Unknown
from trading_orchestrator.perpetual_operations.alerts.channels.email.config import EmailConfig
from trading_orchestrator.perpetual_operations.alerts.channels.email.mail import mail_of
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter, ReceiverBusy
from trading_orchestrator.perpetual_operations.alerts.templates.texts import Texts, read_texts

NOT_AVAILABLE = 421  # the server closes the connection: it is not well, rather than busy with this letter
LETTERS_REMEMBERED = 1_000
ANSWER_LEN = 200
GOOD_BYE_S = 1.0


class MailUnreachable(Transient):
    """The server could not be asked, so nothing was sent. Facts: error."""

    code = "alerts.mail_unreachable"


class MailUnanswered(Unknown):
    """The mail was sent and no answer came. Facts: error."""

    code = "alerts.mail_unanswered"


class MailRefused(Refused):
    """The server will never take this mail for anybody. Facts: status."""

    code = "alerts.mail_refused"


class Email:
    """Mail to some addresses through one server.

    Each address is asked for in turn; what was taken for one is not sent there again while another is still busy.
    That is known in memory only, and after a death the same Message-ID goes to all of them.
    """

    def __init__(self, config: EmailConfig, *, texts: Texts, password: str | None = None) -> None:
        self._config = config
        self._texts = texts
        self._password = password
        self._taken: OrderedDict[str, dict[str, str]] = OrderedDict()

    async def send(self, letter: Letter) -> str:
        mail = mail_of(letter, sender=self._config.sender, to=self._config.to, texts=self._texts)
        taken = self._remembered(letter.idempotency_key)
        left = [address for address in self._config.to if address not in taken]
        server = self._server()
        try:
            with _before_the_mail():
                await server.connect()
            failures = await self._to_each(server, mail, left, taken)
        finally:
            await _ended(server)
        again = [error for error in failures if not isinstance(error, Refused)]
        if again:
            raise again[0]
        if not taken:
            raise failures[0]
        del self._taken[letter.idempotency_key]
        return "; ".join([*taken.values(), *(error.message for error in failures)])[:ANSWER_LEN]

    async def close(self) -> None:
        return

    async def _to_each(
        self, server: SMTP, mail: bytes, left: list[str], taken: dict[str, str]
    ) -> list[OrchestratorError]:
        """Ask for every address, then hand the mail over once for all that were accepted."""
        failures: list[OrchestratorError] = []
        accepted: list[str] = []
        with _before_the_mail():
            await server.mail(self._config.sender)
        for address in left:
            try:
                with _before_the_mail():
                    await server.rcpt(address)
                accepted.append(address)
            except (ReceiverBusy, Refused) as error:
                failures.append(error)
        if accepted:
            answer = await _handed_over(server, mail)
            taken.update(dict.fromkeys(accepted, answer))
        return failures

    def _server(self) -> SMTP:
        config = self._config
        return SMTP(
            hostname=config.host,
            port=config.port,
            local_hostname=config.sender.partition("@")[2],  # else the library asks the resolver who we are
            username=config.username,
            password=self._password,
            use_tls=config.tls == "tls",
            start_tls=config.tls == "starttls",
            timeout=config.timeout_s,
        )

    def _remembered(self, key: str) -> dict[str, str]:
        taken = self._taken.setdefault(key, {})
        self._taken.move_to_end(key)
        while len(self._taken) > LETTERS_REMEMBERED:
            self._taken.popitem(last=False)
        return taken


def open_email(config: EmailConfig, opening: Opening) -> Email:
    """Return the channel, its password resolved and its texts read."""
    password = None if config.password is None else opening.reveal(config.password)
    return Email(config, texts=read_texts(config.texts, opening.external_url), password=password)


@contextmanager
def _before_the_mail() -> Iterator[None]:
    """What fails in here failed before a byte of the mail was out."""
    try:
        yield
    except SMTPResponseException as error:
        raise _answered(error) from None
    except (SMTPException, OSError) as error:
        raise MailUnreachable(f"no connection: {type(error).__name__}", error=type(error).__name__) from None


async def _handed_over(server: SMTP, mail: bytes) -> str:
    try:
        answer = await server.data(mail)
    except SMTPResponseException as error:
        raise _answered(error) from None
    except (SMTPException, OSError) as error:
        raise MailUnanswered(f"no answer: {type(error).__name__}", error=type(error).__name__) from None
    return f"{answer.code} {answer.message}"


def _answered(error: SMTPResponseException) -> OrchestratorError:
    said = f"answered {error.code} {error.message}"[:ANSWER_LEN]
    if error.code >= 500:
        return MailRefused(said, status=error.code)
    if error.code == NOT_AVAILABLE:
        return MailUnreachable(said, status=error.code)
    return ReceiverBusy(said, status=error.code)


async def _ended(server: SMTP) -> None:
    """Part in peace where the server still listens; what became of the mail is known already."""
    if server.is_connected:
        with suppress(SMTPException, OSError):
            await server.quit(timeout=GOOD_BYE_S)
    server.close()
