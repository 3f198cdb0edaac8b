"""A column of float64 in few bytes, exact to the last bit.

Most measurements are short decimals: `0.123` is 123 / 10**3, and that division gives the very same float back. Such a
column is kept as integers, with the odd ones (nan, inf, -0.0, full mantissas) beside it. What is no decimal keeps its
bits, each XORed with those before it. Source: Afroozeh et al., ALP: Adaptive Lossless floating-Point Compression,
2023; Pelkonen et al., Gorilla, 2015 (the XOR).
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from trading_orchestrator.perpetual_operations.monitoring.history.integers import (
    Int64s,
    PackedInts,
    pack_ints,
    unpack_ints,
)
from trading_orchestrator.perpetual_operations.monitoring.history.planes import from_planes, to_planes

Float64s = NDArray[np.float64]
Flags = NDArray[np.bool_]
DECIMALS = range(13)
PROBED = 48
MOST_ODD_RATIO = 1 / 16
EXACT_BELOW = 2.0**53


class Scaled(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """Values are `ints / 10**decimals`, but for those at the indices `odd_at` (uint32), which are `odd` (float64)."""

    decimals: int
    ints: PackedInts
    odd_at: bytes = b""
    odd: bytes = b""


class Xored(msgspec.Struct, frozen=True, array_like=True, tag="x"):
    """The bits of each value, XORed with those of the one before."""

    width: int
    planes: bytes


PackedFloats = Scaled | Xored


def pack_floats(values: Float64s) -> PackedFloats:
    """Return the column packed; at least one value. Costs 1 ms for 3600 values (benchmarks/history.py)."""
    decimals = _decimals(values[:: max(1, len(values) // PROBED)])
    if decimals is not None:
        ints, is_exact = _scaled(values, decimals)
        odd_at = np.flatnonzero(~is_exact).astype("<u4")
        if len(odd_at) <= len(values) * MOST_ODD_RATIO:
            packed = pack_ints(_filled(ints, is_exact))
            return Scaled(decimals, packed, odd_at.tobytes(), values[odd_at].astype("<f8").tobytes())
    return _xored(values)


def unpack_floats(packed: PackedFloats, count: int) -> Float64s:
    """Return the column of `count` values, as they were packed.

    Raises:
        ValueError, zlib.error: the bytes are not what `pack_floats` wrote.
    """
    if isinstance(packed, Xored):
        return np.bitwise_xor.accumulate(from_planes(packed.width, packed.planes, count)).view(np.float64)
    values: Float64s = unpack_ints(packed.ints, count) / 10.0**packed.decimals
    if packed.odd_at:
        values[np.frombuffer(packed.odd_at, dtype="<u4")] = np.frombuffer(packed.odd, dtype="<f8")
    return values


def _decimals(probe: Float64s) -> int | None:
    """Return how many decimals make nearly all of the probe integers, or None."""
    for decimals in DECIMALS:
        _, is_exact = _scaled(probe, decimals)
        if len(probe) - int(is_exact.sum()) <= len(probe) * MOST_ODD_RATIO:
            return decimals
    return None


def _scaled(values: Float64s, decimals: int) -> tuple[Int64s, Flags]:
    """Return the values as integers, and which of them come back from that bit by bit."""
    power = 10.0**decimals
    with np.errstate(all="ignore"):
        scaled = np.rint(values * power)
        fits = np.abs(scaled) < EXACT_BELOW
        ints = np.where(fits, scaled, 0.0).astype(np.int64)
        is_exact: Flags = fits & ((ints / power).view(np.int64) == values.view(np.int64))
    return ints, is_exact


def _filled(ints: Int64s, is_exact: Flags) -> Int64s:
    """Where an odd value stands, repeat the last good integer: that costs nothing in differences."""
    if is_exact.all():
        return ints
    good_before = np.maximum.accumulate(np.where(is_exact, np.arange(len(ints)), 0))
    return np.where(is_exact, ints, 0)[good_before]


def _xored(values: Float64s) -> Xored:
    bits = np.ascontiguousarray(values).view(np.uint64)
    changed = bits.copy()
    changed[1:] ^= bits[:-1]
    return Xored(*to_planes(changed))
