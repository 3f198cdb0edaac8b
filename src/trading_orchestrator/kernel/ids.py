"""Identifiers: sortable unique ids, and the pure base32 digests that name orders."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from hashlib import blake2b

RandomBytes = Callable[[int], bytes]


def system_random(size: int) -> bytes:
    """Return `size` bytes of the operating system's randomness."""
    return os.urandom(size)


def new_id(wall_ns: int, random_bytes: RandomBytes = system_random) -> str:
    """Return 26 characters: 48 bits of milliseconds and 80 random bits, base32hex, sortable by time."""
    raw = (wall_ns // 1_000_000 & (1 << 48) - 1).to_bytes(6, "big") + random_bytes(10)
    return base64.b32hexencode(raw).decode().rstrip("=").lower()


def digest_base32(*parts: str, bits: int = 100) -> str:
    """Return lower-case base32 of the first `bits` (a multiple of 5) of BLAKE2b over the parts.

    The parts are length-prefixed, so ("ab", "c") and ("a", "bc") differ.
    """
    encoded = [part.encode() for part in parts]
    data = b"".join([len(part).to_bytes(4, "big") + part for part in encoded])
    enough = blake2b(data, digest_size=32).digest()[: -(-bits // 8)]
    return base64.b32encode(enough).decode().lower()[: bits // 5]
