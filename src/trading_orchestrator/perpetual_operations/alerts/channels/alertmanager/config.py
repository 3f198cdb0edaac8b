"""Settings of one Alertmanager that our alerts are forwarded to."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig


class AlertmanagerConfig(LaneConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the alerts of each message go on to. `kind = "alertmanager"`.

    url: its address, e.g. `http://127.0.0.1:9093`, or a reference (`env:NAME`, `file:PATH`, `vault:NAME`) to it:
        one that names a user or a query must be one.
    timeout_s: 5 s, for it only has to take them.
    """

    url: Annotated[str, Meta(pattern=r"^(https?://|env:|file:|vault:)")]
    timeout_s: Annotated[float, Meta(gt=0, le=120)] = 5.0
