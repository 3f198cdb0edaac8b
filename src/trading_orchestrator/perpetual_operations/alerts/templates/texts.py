"""The words of a message: a subject, and a text with one paragraph an alert."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from trading_orchestrator.perpetual_operations.alerts.facts import NotificationDue
from trading_orchestrator.perpetual_operations.alerts.templates.scope import (
    OF_ALERT,
    OF_MESSAGE,
    scope_of_alert,
    scope_of_message,
)
from trading_orchestrator.perpetual_operations.alerts.templates.template import Template, read_template

SUBJECT = '[{{ status }}] {{ summary or name or group.alertname or "alerts" }} ({{ severity or "-" }}, {{ count }})'
HEAD = "{{ status }}: {{ count }}, at {{ at }}."
ALERT = """
{{ status }} {{ severity }} {{ name }}: {{ summary or annotations.description or "no summary" }}
  since {{ since }}, until {{ until or "now" }}
  incident: {{ links.incident or "-" }}
  chart:    {{ links.chart or "-" }}
  runbook:  {{ links.runbook or "-" }}"""
SHORT = '{{ status }} {{ severity }}: {{ summary or name or "alerts" }} ({{ count }}) {{ links.incident }}'


class TextConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The texts of one channel; None is the default. What a hole may ask for stands in `scope.py`."""

    subject: str | None = None
    head: str | None = None
    alert: str | None = None


@dataclass(frozen=True)
class Words:
    """A message in words."""

    subject: str
    text: str


@dataclass(frozen=True)
class Texts:
    """The texts of one channel, read and checked."""

    subject: Template
    head: Template
    alert: Template
    external_url: str

    def words(self, message: NotificationDue) -> Words:
        """Return the message in words; the subject is one line."""
        whole = scope_of_message(message, self.external_url)
        paragraphs = [self.alert.filled(scope_of_alert(alert, self.external_url)) for alert in message.alerts]
        if message.unlisted:
            paragraphs.append(f"\n… and {message.unlisted} more.")
        subject = " ".join(self.subject.filled(whole).split())
        return Words(subject, "\n".join([self.head.filled(whole), *paragraphs]).strip() + "\n")


def read_texts(config: TextConfig, external_url: str, *, is_short: bool = False) -> Texts:
    """Return the texts of a channel.

    Args:
        is_short: a channel without room (SMS): one line, no paragraphs.

    Raises:
        TemplateRefused: a hole can never be filled.
    """
    return Texts(
        subject=read_template(config.subject or SUBJECT, OF_MESSAGE),
        head=read_template(config.head or (SHORT if is_short else HEAD), OF_MESSAGE),
        alert=read_template((config.alert or "") if is_short else (config.alert or ALERT), OF_ALERT),
        external_url=external_url,
    )
