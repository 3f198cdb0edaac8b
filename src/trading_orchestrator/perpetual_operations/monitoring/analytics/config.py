"""Settings of analytics. TOML: `[perpetual_operations.analytics]`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class AnalyticsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How series are judged.

    enabled: off, nothing is watched for anomalies and nothing is forecast.
    bar: how far above its usual peaks a series stands out; 1 finds most and errs about once in 3,600 values of a
        series (benchmarks/anomalies.py), which is too often for a hundred series by the minute: 2 is for people.
    learn_days: read from the history at a start, so that nothing normal is news; three days show each hour thrice.
    trend_minutes: how far back a trend is looked for; six hours see a leak and forget yesterday's release.
    horizon_days: what runs out later than this is nobody's business yet.
    """

    enabled: bool = True
    bar: Annotated[float, Meta(gt=0, le=100)] = 2.0
    learn_days: Annotated[float, Meta(ge=0, le=30)] = 3.0
    trend_minutes: Annotated[int, Meta(ge=10, le=1440)] = 360
    horizon_days: Annotated[float, Meta(gt=0, le=365)] = 14.0
