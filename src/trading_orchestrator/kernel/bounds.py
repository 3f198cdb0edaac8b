"""Numbers that a config may hold: finite ones, and decimals above zero, which msgspec does not judge."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from msgspec import Meta

ABOVE_ZERO = Meta(extra={"above": 0})
FINITE = Meta(extra={"finite": True})
Seconds = Annotated[float, Meta(gt=0, le=1e9)]
UpToAMinute = Annotated[float, Meta(gt=0, le=60)]
UpToAnHour = Annotated[float, Meta(gt=0, le=3600)]
PositiveDecimal = Annotated[Decimal, ABOVE_ZERO]
FiniteDecimal = Annotated[Decimal, FINITE]
"""For a field of which nothing else is said where endless numbers may stand (`fault_of`)."""


def fault_of(value: object, kind: Any, *, endless: bool = False) -> str | None:
    """Return what is wrong with a number, as written, for a field of this type; None when nothing is, or it is none.

    `nan` and `inf` pass every comparison or fail them all, so a limit of either is no limit.

    Args:
        endless: `inf` may stand where the type sets no bound, as in "take profit: never".
    """
    kinds = _members(kind)
    if not any(each in (float, Decimal) for each, _ in kinds) or any(each is str for each, _ in kinds):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None  # a word: whoever converts it says so
    bounded = any(_is_bound(meta) for _, metas in kinds for meta in metas)
    if not number.is_finite() and not (endless and number.is_infinite() and not bounded):
        return f"expected a finite number, was {value}"
    if number <= 0 and any(ABOVE_ZERO in metas for _, metas in kinds):
        return f"expected a number above 0, was {value}"
    return None


def _is_bound(meta: Any) -> bool:
    return any(getattr(meta, name, None) is not None for name in ("gt", "ge", "lt", "le", "extra"))


def _members(kind: Any) -> list[tuple[Any, tuple[Any, ...]]]:
    """Return the types a value may have, each with what is said of it."""
    if get_origin(kind) is Annotated:
        inner, *metas = get_args(kind)
        return [(each, (*said, *metas)) for each, said in _members(inner)]
    if get_origin(kind) in (Union, UnionType):
        return [member for arg in get_args(kind) for member in _members(arg)]
    return [(kind, ())]
