"""A block: some seconds of several series on one time axis, as it lies in the tail of the file."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading_orchestrator.perpetual_operations.monitoring.history.floats import Float64s
from trading_orchestrator.perpetual_operations.monitoring.history.integers import Int64s

_COUNTS = struct.Struct("<II")
_ID, _NUMBER = 4, 8


@dataclass(frozen=True)
class Block:
    """`values` has a row per series (its id stands in `series`) and a column per tick."""

    series: tuple[int, ...]
    times_ns: Int64s
    values: Float64s


def from_bytes(data: bytes) -> Block:
    """Return what `tail_block.py` wrote.

    Raises:
        ValueError, struct.error: it did not write this.
    """
    ids, times_ns = _ids_and_times(data)
    at = _COUNTS.size + _ID * len(ids) + _NUMBER * len(times_ns)
    values = np.frombuffer(data, dtype="<f8", offset=at).reshape(len(ids), len(times_ns))
    return Block(tuple(ids.tolist()), times_ns, values)


def one_series(data: bytes, series: int) -> tuple[Int64s, Float64s] | None:
    """Return times and values of one series without touching the others, or None if it is not in the block."""
    ids, times_ns = _ids_and_times(data)
    found = np.flatnonzero(ids == series)
    if not len(found):
        return None
    ticks = len(times_ns)
    at = _COUNTS.size + _ID * len(ids) + _NUMBER * ticks * (1 + int(found[0]))
    return times_ns, np.frombuffer(data, dtype="<f8", offset=at, count=ticks)


def joined(blocks: Sequence[Block]) -> Block:
    """Return blocks of the same series as one, its ticks in the order of time."""
    times_ns = np.concatenate([block.times_ns for block in blocks])
    values = np.concatenate([block.values for block in blocks], axis=1)
    if len(times_ns) > 1 and bool((times_ns[1:] < times_ns[:-1]).any()):  # the wall clock was set back
        order = np.argsort(times_ns, kind="stable")
        times_ns, values = times_ns[order], values[:, order]
    return Block(blocks[0].series, times_ns, values)


def _ids_and_times(data: bytes) -> tuple[np.ndarray[tuple[int], np.dtype[np.uint32]], Int64s]:
    series, ticks = _COUNTS.unpack_from(data)
    ids = np.frombuffer(data, dtype="<u4", offset=_COUNTS.size, count=series)
    return ids, np.frombuffer(data, dtype="<i8", offset=_COUNTS.size + _ID * series, count=ticks)
