"""A column of int64 in few bytes: times, counters, and whatever floats turn out to be scaled integers.

All arithmetic is modulo 2**64, so every column comes back exactly, however far its numbers lie apart.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from trading_orchestrator.perpetual_operations.monitoring.history.planes import from_planes, to_planes

Int64s = NDArray[np.int64]
MOST_DIFFERENCES = 2
LOWEST = np.iinfo(np.int64).min


class PackedInts(msgspec.Struct, frozen=True, array_like=True):
    """Numbers are `base + step * q`; of q, the `order`-th differences (2: delta of delta) are kept as zigzag planes."""

    base: int
    step: int
    order: int
    width: int
    planes: bytes


def pack_ints(numbers: Int64s) -> PackedInts:
    """Return the column, packed with the order of differences that promises the fewest bits; at least one number."""
    base = numbers.min()
    offsets = numbers - base
    step = _common_step(offsets)
    left = offsets // step if step > 1 else offsets
    orders = [left]
    for _ in range(MOST_DIFFERENCES):
        orders.append(np.diff(orders[-1], prepend=np.int64(0)))
    order = min(range(len(orders)), key=lambda number: _bits(orders[number]))
    width, planes = to_planes(_zigzag(orders[order]))
    return PackedInts(int(base), step, order, width, planes)


def unpack_ints(packed: PackedInts, count: int) -> Int64s:
    """Return the column of `count` numbers.

    Raises:
        ValueError, zlib.error: the bytes are not what `pack_ints` wrote.
    """
    zigzag = from_planes(packed.width, packed.planes, count)
    left: Int64s = ((zigzag >> np.uint64(1)) ^ (np.uint64(0) - (zigzag & np.uint64(1)))).view(np.int64)
    for _ in range(packed.order):
        left = np.cumsum(left)
    return left * np.int64(packed.step) + np.int64(packed.base)


def _common_step(offsets: Int64s) -> int:
    """Memory grows by pages and clocks tick in milliseconds: what all offsets are multiples of need not be kept."""
    if offsets.min() == LOWEST:  # its magnitude is no int64
        return 1
    return max(1, int(np.gcd.reduce(offsets)))


def _zigzag(signed: Int64s) -> NDArray[np.uint64]:
    """Small numbers of either sign become small unsigned ones."""
    return ((signed << np.int64(1)) ^ (signed >> np.int64(63))).view(np.uint64)


def _bits(differences: Int64s) -> float:
    """About how many bits the numbers need without those that do not vary."""
    return float(np.log2(np.abs(differences[MOST_DIFFERENCES:].astype(np.float64)) + 1).sum())
