"""Unsigned integers as byte planes under zlib: byte i of every number stands together, so that noise stays apart."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

LEVEL = 6  # level 9 saved 0.3 % on host metrics and cost twice the time


def to_planes(numbers: NDArray[np.uint64]) -> tuple[int, bytes]:
    """Return how many low bytes the largest number needs, and the planes, lowest first; zeros alone need none."""
    width = (int(numbers.max()).bit_length() + 7) // 8
    if width == 0:
        return 0, b""
    by_byte = numbers.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)
    return width, zlib.compress(by_byte[:, :width].T.tobytes(), LEVEL)


def from_planes(width: int, planes: bytes, count: int) -> NDArray[np.uint64]:
    """Return the numbers.

    Raises:
        ValueError, zlib.error: the bytes are not what `to_planes` wrote.
    """
    numbers = np.zeros(count, dtype=np.uint64)
    if width:
        by_plane = np.frombuffer(zlib.decompress(planes), dtype=np.uint8).reshape(width, count)
        for place, plane in enumerate(by_plane):
            numbers |= plane.astype(np.uint64) << np.uint64(8 * place)
    return numbers
