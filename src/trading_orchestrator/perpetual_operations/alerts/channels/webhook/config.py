"""Settings of one webhook."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig


class WebhookConfig(LaneConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the JSON goes. `kind = "webhook"`.

    url: where to; a reference (`env:NAME`, `file:PATH`, `vault:NAME`) when the address itself is a secret. One that
        names a user or a query must be a reference; that a path holds a token cannot be seen.
    secret: the reference of the signing secret; without one nothing is signed.
    timeout_s: 5 s, for a receiver only has to take it.
    """

    url: Annotated[str, Meta(pattern=r"^(https?://|env:|file:|vault:)")]
    secret: str | None = None
    timeout_s: Annotated[float, Meta(gt=0, le=120)] = 5.0
