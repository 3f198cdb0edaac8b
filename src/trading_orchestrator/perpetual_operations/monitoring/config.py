"""Settings of monitoring: what is measured, how often, and how long it is kept."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class MonitoringConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How host and process are measured. TOML: `[perpetual_operations.monitoring]`.

    enabled: off, nothing is measured, until `features on system_monitor`.
    interval_s: one second shows a spike before a human asks, and costs 0.1 % of a core.
    ring_len: samples kept in memory; 3600 are an hour in under 2 MB.
    loop_lag_every_s: how often the event loop is asked how late it is; ten times a second finds every block that hurts.
    """

    enabled: bool = True
    interval_s: Annotated[float, Meta(ge=0.1, le=60)] = 1.0
    ring_len: Annotated[int, Meta(ge=10, le=100_000)] = 3600
    loop_lag_every_s: Annotated[float, Meta(ge=0.01, le=1)] = 0.1


class HistoryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long measurements are kept on disk. TOML: `[perpetual_operations.history]`.

    enabled: off, nothing is written and nothing can be asked for; the newest hour stays in memory either way.
    path: a file of its own, so that it can never hurt the journal; None is `metrics.db` in the data directory.
    flush_s: a kill loses at most the samples of this time; a hundred series cost 0.013 % of a core, 0.007 % at 10 s.
    retention_days: of samples by the second; a week holds the same weekday last week, the usual comparison.
    minute_days: of roll-ups by the minute, for "what was normal last month".
    hour_days: of roll-ups by the hour; two years show a season twice, in a few kB a day.
    max_bytes: the oldest samples go first above it. 13 series take 2 MB a day and node, 300 series 40 MB.
    """

    enabled: bool = True
    path: str | None = None
    flush_s: Annotated[float, Meta(ge=1, le=60)] = 3.0
    retention_days: Annotated[int, Meta(ge=1, le=365)] = 7
    minute_days: Annotated[int, Meta(ge=1, le=3650)] = 60
    hour_days: Annotated[int, Meta(ge=1, le=36500)] = 730
    max_bytes: Annotated[int, Meta(ge=4_000_000, le=1_000_000_000_000)] = 500_000_000

    def __post_init__(self) -> None:
        if not self.retention_days <= self.minute_days <= self.hour_days:
            raise ValueError(
                "expected retention_days ≤ minute_days ≤ hour_days, "
                f"was {self.retention_days}, {self.minute_days}, {self.hour_days}"
            )
