"""A sample of host and process as one tick: a series per number, named as in the sample."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from trading_orchestrator.perpetual_operations.monitoring.sample import Sample

DECIMALS = 6  # a µs, a millionth of a core: finer is noise of the clock, and noise is what costs bytes


def values_of(sample: Sample) -> Mapping[str, float]:
    """Return every number of the sample but its time."""
    return {
        name: round(float(value), DECIMALS)
        for name, value in msgspec.structs.asdict(sample).items()
        if name != "at_ns" and isinstance(value, int | float)
    }
