"""What the history answers, in plain numbers: ready for JSON, and free of numpy for whoever only passes it on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from trading_orchestrator.perpetual_operations.monitoring.history.rollup import Rollup


class Line(msgspec.Struct, frozen=True):
    """One series of one node. The times are those of the node's oldest and newest sample."""

    series: str
    name: str
    node: str
    first_ns: int
    last_ns: int


class Range(msgspec.Struct, frozen=True):
    """Buckets that hold a sample, oldest first, in arrays of one length. A bucket begins `at_ns`, for `width_ns`."""

    series: str
    start_ns: int
    end_ns: int
    width_ns: int
    at_ns: list[int] = []
    min: list[float] = []
    max: list[float] = []
    mean: list[float] = []
    count: list[int] = []

    @classmethod
    def of(cls, series: str, start_ns: int, end_ns: int, width_ns: int, rollup: Rollup | None) -> Range:
        """Return the roll-up as plain numbers."""
        if rollup is None:
            return cls(series, start_ns, end_ns, width_ns)
        arrays = (rollup.starts_ns, rollup.low, rollup.high, rollup.mean, rollup.counts)
        return cls(series, start_ns, end_ns, width_ns, *(array.tolist() for array in arrays))
