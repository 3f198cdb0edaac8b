"""Cards instead of dice: over all seeds together each card turns up as often as every other, and never by luck."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import TypeVar

from trading_orchestrator.simulation.chance import Chance

T = TypeVar("T")


def dealt(cards: Sequence[T], name: str, start: int) -> Iterator[T]:
    """Yield cards for ever, from this place on of one endless row of shuffled decks.

    Args:
        name: of the row; the same in every world, so that worlds with other starts go on where others ended.
        start: the place of the first card.
    """
    skipped = start % len(cards)
    for number in count(start // len(cards)):
        yield from _shuffled(cards, Chance("deck", name, number))[skipped:]
        skipped = 0


def _shuffled(cards: Sequence[T], chance: Chance) -> list[T]:
    """Return them in chance order (Fisher, Yates)."""
    left = list(cards)
    for last in range(len(left) - 1, 0, -1):
        other = chance.below(last + 1)
        left[last], left[other] = left[other], left[last]
    return left
