"""How a block of the tail is written, without numpy; `block.py` reads it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain


def tail_bytes(series: Sequence[int], times_ns: Sequence[int], rows: Sequence[Sequence[float]]) -> bytes:
    """Return some seconds of several series, uncompressed: it lies in the file for an hour at most.

    `rows` has one entry per tick; on disk each series stands together, so that one of them is a slice.
    """
    values = chain.from_iterable(zip(*rows, strict=True))
    count, ticks = len(series), len(times_ns)
    return struct.pack(f"<II{count}I{ticks}q{count * ticks}d", count, ticks, *series, *times_ns, *values)
