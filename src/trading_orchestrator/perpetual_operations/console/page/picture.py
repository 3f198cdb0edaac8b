"""A small picture of a desk's symbol: the price of its fills above, the profit below, as SVG."""

from __future__ import annotations

from collections.abc import Sequence

from trading_orchestrator.perpetual_operations.console.page.html import Html, tag
from trading_orchestrator.perpetual_operations.console.page.profit import Point

WIDTH = 600
PRICE_TOP, PRICE_BOTTOM = 8, 96
PROFIT_TOP, PROFIT_BOTTOM = 116, 172
HEIGHT = 180
MARGIN = 6


def picture(points: Sequence[Point], *, title: str) -> Html:
    """Return the drawing; floats only here, where a pixel is coarser than any rounding."""
    if len(points) < 2:
        return tag("p", "The picture starts with the second fill.", class_="empty")
    xs = _across([point.at_ns for point in points])
    px_ys = _down([float(point.px) for point in points], PRICE_TOP, PRICE_BOTTOM)
    profits = [float(point.profit) for point in points]
    low, high = min(0.0, *profits), max(0.0, *profits)
    profit_ys = _down(profits, PROFIT_TOP, PROFIT_BOTTOM, low, high)
    zero_y = _down([0.0], PROFIT_TOP, PROFIT_BOTTOM, low, high)[0]
    gains = profits[-1] >= 0
    area = f"M{xs[0]},{zero_y} L{_path(xs, profit_ys)} L{xs[-1]},{zero_y} Z"
    return tag(
        "svg",
        tag("title", title),
        tag("polyline", class_="price", points=_path(xs, px_ys)),
        _dots(points, xs, px_ys),
        tag("path", class_=f"area {'up' if gains else 'down'}", d=area),
        tag("line", class_="zero", x1=MARGIN, x2=WIDTH - MARGIN, y1=zero_y, y2=zero_y),
        tag("polyline", class_=f"profit {'up' if gains else 'down'}", points=_path(xs, profit_ys)),
        class_="picture",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        role="img",
    )


def _dots(points: Sequence[Point], xs: Sequence[float], ys: Sequence[float]) -> list[Html]:
    """Fills as short strokes with round ends: they stay round however the picture is stretched."""
    return [
        tag("path", class_=f"dot {point.side}", d=f"M{x},{y}h.01") for point, x, y in zip(points, xs, ys, strict=True)
    ]


def _across(times: Sequence[int]) -> list[float]:
    span = max(times) - min(times) or 1
    return [round(MARGIN + (at - min(times)) / span * (WIDTH - 2 * MARGIN), 1) for at in times]


def _down(
    values: Sequence[float], top: int, bottom: int, low: float | None = None, high: float | None = None
) -> list[float]:
    low, high = min(values) if low is None else low, max(values) if high is None else high
    span = high - low or 1.0
    return [round(bottom - (value - low) / span * (bottom - top), 1) for value in values]


def _path(xs: Sequence[float], ys: Sequence[float]) -> str:
    return " ".join(f"{x},{y}" for x, y in zip(xs, ys, strict=True))
