"""Commands of people name them."""

from __future__ import annotations

from typing import Protocol, TypeVar

import msgspec

from trading_orchestrator.errors import Refused


class By(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks."""

    by: str


class SaidBySomebody(Protocol):
    """A body that names who says it."""

    @property
    def by(self) -> str: ...


T = TypeVar("T", bound=SaidBySomebody)


def checked_by(said: T) -> T:
    """Return what was said.

    Raises:
        Refused: nobody says it.
    """
    if not said.by.strip():
        raise Refused("by: expected the name of a person, was empty")
    return said
