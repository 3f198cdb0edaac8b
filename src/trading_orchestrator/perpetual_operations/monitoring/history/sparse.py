"""A counter's past in few samples: by the second where it is young, by the minute before, every fall whole."""

from __future__ import annotations

import numpy as np

from trading_orchestrator.perpetual_operations.monitoring.history.floats import Float64s
from trading_orchestrator.perpetual_operations.monitoring.history.integers import Int64s

MINUTE_NS = 60_000_000_000


def sparse(times_ns: Int64s, values: Float64s, before_ns: int) -> tuple[Int64s, Float64s]:
    """Return the samples without nan, and of those before `before_ns` one a minute; times must rise."""
    is_number = ~np.isnan(values)
    times_ns, values = times_ns[is_number], values[is_number]
    if not len(times_ns):
        return times_ns, values
    is_kept = times_ns >= before_ns
    minutes = times_ns // MINUTE_NS
    is_kept[0] = is_kept[-1] = True
    is_kept[1:] |= minutes[1:] != minutes[:-1]
    falls = values[1:] < values[:-1]
    is_kept[1:] |= falls
    is_kept[:-1] |= falls
    return times_ns[is_kept], values[is_kept]
