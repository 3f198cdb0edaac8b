"""Chance from a seed: the same seed gives the same numbers on every machine and in every release."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")
_MASK = (1 << 64) - 1


class Chance:
    """A stream of numbers (SplitMix64). Give each user a `fork` of its own: one asking more then moves no other.

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
    """

    def __init__(self, *seed: int | str) -> None:
        self._path = seed
        self._state = int.from_bytes(blake2b(repr(seed).encode(), digest_size=8).digest(), "big")

    def fork(self, name: int | str) -> Chance:
        """Return a stream that depends on the seed and the name alone."""
        return Chance(*self._path, name)

    def bits(self) -> int:
        """Return 64 random bits."""
        mixed = self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)

    def ratio(self) -> float:
        """Return a number in [0, 1)."""
        return (self.bits() >> 11) / (1 << 53)

    def hits(self, ratio: float) -> bool:
        """Return True in this share of the calls."""
        return self.ratio() < ratio

    def below(self, count: int) -> int:
        """Return an integer in [0, count)."""
        return self.bits() % count

    def between(self, least: float, most: float) -> float:
        """Return a number in [least, most)."""
        return least + (most - least) * self.ratio()

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items."""
        return items[self.below(len(items))]

    def octets(self, size: int) -> bytes:
        """Return random bytes (kernel.ids.RandomBytes)."""
        return b"".join(self.bits().to_bytes(8, "big") for _ in range(-(-size // 8)))[:size]
