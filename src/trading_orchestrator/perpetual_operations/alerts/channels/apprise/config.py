"""Settings of one service that Apprise reaches: SMS, Telegram, Slack, Discord, ntfy and 160 more."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig
from trading_orchestrator.perpetual_operations.alerts.templates.texts import TextConfig


class AppriseConfig(LaneConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One Apprise address. `kind = "apprise"`.

    url: the reference (`env:NAME`, `file:PATH`, `vault:NAME`) of the address, for it holds the secrets, e.g.
        `twilio://SID:TOKEN@FROM/TO`, `tgram://TOKEN/CHAT`, `slack://…`, `ntfys://topic`.
    short: one line, for SMS and other places without room.
    gateway_url: every request goes there instead of to the service's own host: an egress gateway, or a test's receiver.
    timeout_s: 20 s; a process starts, imports Apprise and speaks TLS.
    budget_per_min: 10; each message is a process and, as SMS, a price.
    at_once: 2, for a process takes 40 MB while it lives.
    texts: own words; see `templates/texts.py`.
    """

    url: Annotated[str, Meta(pattern=r"^(env|file|vault):")]
    short: bool = True
    gateway_url: Annotated[str, Meta(pattern=r"^https?://")] | None = None
    timeout_s: Annotated[float, Meta(gt=0, le=120)] = 20.0
    budget_per_min: Annotated[float, Meta(ge=0)] = 10.0
    at_once: Annotated[int, Meta(ge=1, le=100)] = 2
    texts: TextConfig = TextConfig()
