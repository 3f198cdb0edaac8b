"""The last day by the minute, from the metrics history: for a command that runs beside a system, or after it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trading_orchestrator.perpetual_operations.monitoring.analytics.analyst import Exhaustion, Limit, in_words
from trading_orchestrator.perpetual_operations.monitoring.analytics.forecast import (
    LEAST,
    forecast_exhaustion,
)
from trading_orchestrator.perpetual_operations.monitoring.analytics.watched_series import slot_of
from trading_orchestrator.perpetual_operations.monitoring.history.reader import HistoryReader

MINUTE_NS = 60_000_000_000
DAY_MINUTES = 1440


class HistoryMinutes:
    """Blocking, one thread at a time. Every method raises HistoryUnavailable or NotAHistory."""

    def __init__(self, reader: HistoryReader, now_ns: int) -> None:
        self._reader = reader
        self._end_ns = now_ns // MINUTE_NS * MINUTE_NS
        self._lines = reader.series()

    def of(self, key: str) -> NDArray[np.float64]:
        """Return times (Unix seconds) and values of a watched series, a row a minute; counters as growth a second."""
        name, _, slot = key.rpartition("@") if "@" in key else (key, "", "")
        is_counter = "_total" in name
        rows: dict[float, float] = {}
        for series in [line.series for line in self._lines if line.name == name and slot in ("", slot_of(line.node))]:
            found = self._reader.range(series, self._end_ns - DAY_MINUTES * MINUTE_NS, self._end_ns, DAY_MINUTES)
            at_s = np.array(found.at_ns, dtype=np.float64) / 1e9
            values = np.array(found.max if is_counter else found.mean, dtype=np.float64)
            if is_counter:
                at_s, values = at_s[1:], np.maximum(0, np.diff(values)) / np.diff(at_s)
            rows.update(zip(at_s.tolist(), values.tolist(), strict=True))
        return np.array(sorted(rows.items()), dtype=np.float64).reshape(-1, 2)

    def exhaustions(self, limits: Sequence[Limit], *, trend_minutes: int, horizon_s: float) -> Sequence[Exhaustion]:
        """Return what runs out by its trend, the soonest first."""
        found = []
        for limit in limits:
            minutes = self.of(limit.key)[-trend_minutes:]
            if len(minutes) < LEAST:
                continue
            forecast = forecast_exhaustion(minutes, limit=limit.limit, horizon_s=horizon_s, falls=limit.falls)
            if forecast is not None:
                found.append(Exhaustion(limit.resource, self._end_ns, forecast, in_words(limit.resource, forecast)))
        return sorted(found, key=lambda each: each.forecast.reaches_in_s)
