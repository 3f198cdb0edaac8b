"""Settings of one PagerDuty service."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig
from trading_orchestrator.perpetual_operations.alerts.templates.texts import TextConfig


class PagerDutyConfig(LaneConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One integration key (Events API v2). `kind = "pagerduty"`.

    routing_key: the reference (`env:NAME`, `file:PATH`, `vault:NAME`) of the integration key.
    url: the events endpoint of the account's region.
    texts: own words; the subject becomes the incident's title.
    """

    routing_key: str
    url: Annotated[str, Meta(pattern=r"^https?://")] = "https://events.pagerduty.com/v2/enqueue"
    texts: TextConfig = TextConfig()
