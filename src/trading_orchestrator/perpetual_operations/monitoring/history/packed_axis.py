"""The axis of packed columns: times of ticks, or starts of buckets with the number of ticks in each."""

from __future__ import annotations

import msgspec

from trading_orchestrator.perpetual_operations.monitoring.history.integers import PackedInts


class PackedAxis(msgspec.Struct, frozen=True, array_like=True):
    """One for all series of a node in an hour; `counts` only where a bucket holds several ticks."""

    length: int
    starts: PackedInts
    counts: PackedInts | None = None
