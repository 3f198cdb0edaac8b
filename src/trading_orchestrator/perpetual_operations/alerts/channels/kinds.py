"""The kinds of channels: what stands as `kind` in the config, and the folder beside this file that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.config import nearest
from trading_orchestrator.perpetual_operations.alerts.channels.opening import Opening
from trading_orchestrator.perpetual_operations.alerts.channels.port import Channel
from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig


class KindUnknown(Refused):
    """There is no such kind of channel. Facts: kind."""

    code = "alerts.channel_kind_unknown"


@dataclass(frozen=True)
class Kind:
    """What the keys of a channel are, how it is opened, and which keys are secrets: references, never the text.

    keeps_open: it keeps what it tells open until it hears the end.
    """

    config: type[LaneConfig]
    open: Callable[[Any, Opening], Channel]
    secrets: tuple[str, ...] = ()
    keeps_open: bool = False


def kind_named(name: str) -> Kind:
    """Return the kind; its libraries are imported only when a channel of it is configured.

    Raises:
        KindUnknown: the sentence names the nearest.
    """
    if name not in KINDS:
        raise KindUnknown(f"no kind of channel is named {name!r}; {nearest(name, list(KINDS))}", kind=name)
    return KINDS[name]()


def _webhook() -> Kind:
    from trading_orchestrator.perpetual_operations.alerts.channels.webhook.channel import open_webhook
    from trading_orchestrator.perpetual_operations.alerts.channels.webhook.config import WebhookConfig

    return Kind(WebhookConfig, open_webhook, secrets=("secret",))


def _email() -> Kind:
    from trading_orchestrator.perpetual_operations.alerts.channels.email.channel import open_email
    from trading_orchestrator.perpetual_operations.alerts.channels.email.config import EmailConfig

    return Kind(EmailConfig, open_email, secrets=("password",))


def _apprise() -> Kind:
    from trading_orchestrator.perpetual_operations.alerts.channels.apprise.channel import open_apprise
    from trading_orchestrator.perpetual_operations.alerts.channels.apprise.config import AppriseConfig

    return Kind(AppriseConfig, open_apprise, secrets=("url",))


def _pagerduty() -> Kind:
    from trading_orchestrator.perpetual_operations.alerts.channels.pagerduty.channel import open_pagerduty
    from trading_orchestrator.perpetual_operations.alerts.channels.pagerduty.config import PagerDutyConfig

    return Kind(PagerDutyConfig, open_pagerduty, secrets=("routing_key",), keeps_open=True)


def _alertmanager() -> Kind:
    from trading_orchestrator.perpetual_operations.alerts.channels.alertmanager.channel import open_alertmanager
    from trading_orchestrator.perpetual_operations.alerts.channels.alertmanager.config import AlertmanagerConfig

    return Kind(AlertmanagerConfig, open_alertmanager)


def _log() -> Kind:
    from trading_orchestrator.perpetual_operations.alerts.channels.log.channel import open_log
    from trading_orchestrator.perpetual_operations.alerts.channels.log.config import LogConfig

    return Kind(LogConfig, open_log)


KINDS: Mapping[str, Callable[[], Kind]] = {
    "webhook": _webhook,
    "email": _email,
    "apprise": _apprise,
    "pagerduty": _pagerduty,
    "log": _log,
    "alertmanager": _alertmanager,
}
