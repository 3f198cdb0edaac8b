"""A letter as a mail: text and HTML, in the thread of its group, equal bytes however often it is tried."""

from __future__ import annotations

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from trading_orchestrator.kernel.ids import digest_base32
from trading_orchestrator.perpetual_operations.alerts.channels.email.html import html_of
from trading_orchestrator.perpetual_operations.alerts.channels.port import Letter
from trading_orchestrator.perpetual_operations.alerts.templates.texts import Texts


def mail_of(letter: Letter, *, sender: str, to: tuple[str, ...], texts: Texts) -> bytes:
    """Return the mail as it goes over the wire.

    The Message-ID is the idempotency key: mail systems drop a second copy. All mails about one group refer to the same
    root, which is never sent, so that programs show them as one thread even where the first one was lost. A call goes
    where its first group is; so does what a digest told before, within the thread of the digests.
    """
    message = letter.message
    words = texts.words(message)
    host = sender.partition("@")[2]
    *before, root = [f"<group-{one.name}@{host}>" for one in (*message.after, message.all_threads()[0])]
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(display_name="Trading alerts", addr_spec=sender)
    mail["To"] = ", ".join(to)
    mail["Subject"] = words.subject
    mail["Date"] = formatdate(message.at_ns / 1e9)
    mail["Message-ID"] = f"<{letter.idempotency_key}@{host}>"
    mail["In-Reply-To"] = root
    mail["References"] = " ".join([*before, root])
    mail["Auto-Submitted"] = "auto-generated"
    if letter.is_critical and message.status == "firing":
        mail["X-Priority"] = "1"
    mail.set_content(words.text, cte="quoted-printable")
    mail.add_alternative(html_of(message, words, texts.external_url), subtype="html", cte="quoted-printable")
    mail.set_boundary(f"part-{digest_base32(letter.idempotency_key)}")
    return mail.as_bytes()
