"""The window that a number is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Points = Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Span:
    """Where the window ends, how long it is, how far ahead a forecast looks, and which value must not be reached."""

    end_ns: int
    length_ns: int
    horizon_s: float = 0.0
    limit: float = 0.0
