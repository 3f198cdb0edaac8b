"""Roll-ups: lowest, highest, mean and count of what fell into each bucket of time; nan counts for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from trading_orchestrator.perpetual_operations.monitoring.history.floats import (
    Float64s,
    PackedFloats,
    pack_floats,
    unpack_floats,
)
from trading_orchestrator.perpetual_operations.monitoring.history.integers import (
    Int64s,
    PackedInts,
    pack_ints,
    unpack_ints,
)


@dataclass(frozen=True)
class Rollup:
    """One entry per bucket that holds a tick, in the order of time; bucket `start_ns` ends before the next multiple.

    A series that was nan for a whole bucket has count 0 there, and nan for the rest. For several series at once the
    arrays but `starts_ns` have a row per series.
    """

    starts_ns: Int64s
    low: Float64s
    high: Float64s
    mean: Float64s
    counts: Int64s

    def row(self, number: int) -> Rollup:
        """Return one of several series."""
        return Rollup(self.starts_ns, self.low[number], self.high[number], self.mean[number], self.counts[number])

    def total(self) -> Float64s:
        """Return the sums that the means came from."""
        return np.where(self.counts > 0, self.mean * self.counts, 0.0)


class PackedRollup(msgspec.Struct, frozen=True, array_like=True):
    """A roll-up of one series; its starts and usual counts stand with the axis that all series share.

    The mean keeps the precision of a float32 (it is read by eyes) and is kept within low and high when read.
    """

    low: PackedFloats
    high: PackedFloats
    mean: PackedFloats
    counts: PackedInts | None = None


def rolled_up(times_ns: Int64s, values: Float64s, width_ns: int) -> Rollup:
    """Return the roll-up of ticks in the order of time; of several series when `values` has a row for each."""
    return merged(as_rollup(times_ns, values), width_ns)


def as_rollup(times_ns: Int64s, values: Float64s) -> Rollup:
    """Return each tick as a bucket of its own."""
    return Rollup(times_ns, values, values, values, (~np.isnan(values)).astype(np.int64))


def merged(parts: Rollup, width_ns: int) -> Rollup:
    """Return roll-ups in the order of time as one with wider buckets."""
    starts_ns = parts.starts_ns // width_ns * width_ns
    first = np.flatnonzero(np.diff(starts_ns, prepend=starts_ns[0] - 1))
    with np.errstate(all="ignore"):
        low = np.fmin.reduceat(parts.low, first, axis=-1)
        high = np.fmax.reduceat(parts.high, first, axis=-1)
        counts = np.add.reduceat(parts.counts, first, axis=-1)
        mean = np.add.reduceat(parts.total(), first, axis=-1) / counts
        return Rollup(starts_ns[first], low, high, np.clip(mean, low, high), counts)


def in_order(parts: Sequence[Rollup]) -> Rollup:
    """Return roll-ups of one series, from anywhere, as one in the order of time."""
    starts_ns, low, high, mean, counts = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("starts_ns", "low", "high", "mean", "counts")
    )
    order = np.argsort(starts_ns, kind="stable")
    return Rollup(starts_ns[order], low[order], high[order], mean[order], counts[order])


def pack_rollup(rollup: Rollup, usual_counts: Int64s) -> PackedRollup:
    """Return the roll-up of one series, packed."""
    with np.errstate(over="ignore"):
        mean = rollup.mean.astype(np.float32).astype(np.float64)
    differs = not np.array_equal(rollup.counts, usual_counts)
    return PackedRollup(
        pack_floats(rollup.low),
        pack_floats(rollup.high),
        pack_floats(mean),
        pack_ints(rollup.counts) if differs else None,
    )


def unpack_rollup(packed: PackedRollup, starts_ns: Int64s, usual_counts: Int64s) -> Rollup:
    """Return the roll-up of one series.

    Raises:
        ValueError, zlib.error: the bytes are not what `pack_rollup` wrote.
    """
    buckets = len(starts_ns)
    low, high = unpack_floats(packed.low, buckets), unpack_floats(packed.high, buckets)
    counts = usual_counts if packed.counts is None else unpack_ints(packed.counts, buckets)
    return Rollup(starts_ns, low, high, np.clip(unpack_floats(packed.mean, buckets), low, high), counts)
