"""Repeatable chance: splitmix64, so that a seed alone decides quantities and faults.

Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators".
"""

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def mixed(*numbers: int) -> int:
    """Return 64 well-mixed bits that depend on the numbers and their order only."""
    state = 0
    for number in numbers:
        state = (state + number + _GOLDEN) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


class Dice:
    """A stream of fractions in [0, 1) that one seed decides."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._thrown = 0

    def throw(self) -> float:
        self._thrown += 1
        return mixed(self._seed, self._thrown) / 2**64
