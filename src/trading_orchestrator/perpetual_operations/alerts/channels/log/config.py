"""Settings of the log that a person reads."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig
from trading_orchestrator.perpetual_operations.alerts.templates.texts import TextConfig


class LogConfig(LaneConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line a message. `kind = "log"`.

    path: the file; None writes to the log of the node. Full files are kept as PATH.1, PATH.2, …
    max_bytes, keep: 10 files of 1 MB hold about 50,000 lines.
    budget_per_min: without limit: a file does not mind.
    texts: own words; `head` is the line.
    """

    path: str | None = None
    max_bytes: Annotated[int, Meta(ge=1_000)] = 1_000_000
    keep: Annotated[int, Meta(ge=1, le=1_000)] = 10
    budget_per_min: Annotated[float, Meta(ge=0)] = 0.0
    texts: TextConfig = TextConfig()
