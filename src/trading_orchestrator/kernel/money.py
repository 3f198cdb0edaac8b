"""Money and quantity are Decimal; floats never enter, and rounding is always named."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from trading_orchestrator.errors import Refused

ZERO = Decimal(0)


def exact(value: str | int | Decimal) -> Decimal:
    """Return the value as a finite Decimal.

    Raises:
        Refused: not a decimal number, or a float (whose digits were already lost).
    """
    if isinstance(value, float) or not isinstance(value, str | int | Decimal):
        raise Refused(f"expected a decimal as text or int, was {type(value).__name__} {value!r}", value=str(value))
    try:
        number = Decimal(value)
    except ArithmeticError:
        raise Refused(f"expected a decimal number, was {value!r}", value=str(value)) from None
    if not number.is_finite():
        raise Refused(f"expected a finite number, was {value!r}", value=str(value))
    return number


def from_float(value: float) -> Decimal:
    """Return the shortest decimal that reads back as this float: only for venue libraries that hand out floats."""
    return exact(repr(value))


def to_step(value: Decimal, step: Decimal) -> Decimal:
    """Return the value rounded toward zero to a multiple of `step` (> 0)."""
    return (value / step).to_integral_value(rounding=ROUND_DOWN) * step


def to_tick(px: Decimal, tick: Decimal) -> Decimal:
    """Return the price rounded half-even to a multiple of `tick` (> 0)."""
    return (px / tick).to_integral_value(rounding=ROUND_HALF_EVEN) * tick


def plain(value: Decimal) -> str:
    """Return digits without exponent or trailing zeros: the one spelling used in facts and on the wire."""
    if not value:
        return "0"
    text = str(value)
    if "E" in text:  # seldom: `format` alone would do, at twice the cost
        text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
