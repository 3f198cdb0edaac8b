"""Texts with holes, in Prometheus' words: `{{ $value }}` and `{{ $labels.name }}`."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.alerts.labels import Labels

_HOLE = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_LABEL = re.compile(r"(?:\$labels|\.Labels)\.([a-zA-Z_][a-zA-Z0-9_]*)")
_PRINTF = re.compile(r'printf\s+"([^"%]*)%(?:\.(\d+))?([fgvs])([^"%]*)"\s+(?:\$value|\.Value)')
_VALUE = ("$value", ".Value")


class TemplateRefused(Refused):
    """A hole asks for something that is not there. Facts: text."""

    code = "alerts.template_refused"


def filled(text: str, labels: Labels, value: float) -> str:
    """Return the text with its holes filled; a label that is not there is empty."""
    return _HOLE.sub(lambda hole: _content(hole[1], labels, value), text)


def check_template(text: str) -> None:
    """Refuse a text with a hole that cannot be filled."""
    filled(text, {}, 0.0)


def shown(value: float) -> str:
    """Return the number in the shortest digits that read back as it, without an exponent below 1e21."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e21:
        mantissa, _, exponent = f"{value!r}".partition("e")
        if not exponent:
            mantissa, _, exponent = f"{Decimal(repr(value)):e}".partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent):+03d}"
    text = f"{Decimal(repr(value)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _content(inside: str, labels: Labels, value: float) -> str:
    if inside in _VALUE:
        return shown(value)
    label = _LABEL.fullmatch(inside)
    if label is not None:
        return labels.get(label[1], "")
    printf = _PRINTF.fullmatch(inside)
    if printf is None:
        raise TemplateRefused(f"expected $value or $labels.name in a hole, was {inside!r}", text=inside)
    before, digits, verb, after = printf[1], printf[2], printf[3], printf[4]
    if verb == "f":
        return f"{before}{value:.{digits or 6}f}{after}"
    return f"{before}{f'{value:.{digits}g}' if digits else shown(value)}{after}"
