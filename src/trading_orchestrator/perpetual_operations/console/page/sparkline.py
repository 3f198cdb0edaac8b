"""A curve in the size of a line of text, as SVG: what is missing is a gap, never a straight line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from trading_orchestrator.perpetual_operations.console.last_hour import Curve
from trading_orchestrator.perpetual_operations.console.page.html import Html, tag

WIDTH, HEIGHT = 240, 44
TOP, BOTTOM = 3, 42
GAP = 2.5  # buckets without a sample in between


def sparkline(
    curve: Curve, *, shown: str, full: float | None = None, low: float = 0.0, over: str = "the last hour"
) -> Html:
    """Return the curve with its newest value in words; floats are pixels here.

    Args:
        shown: the newest value, as text.
        full: the value at the top edge; None is the highest of the curve.
        low: the value at the bottom edge.
        over: the time that is drawn, in words.
    """
    finite = [(at, value) for at, value in zip(curve.at_ns, curve.highest, strict=True) if math.isfinite(value)]
    height = (full or max((value for _, value in finite), default=0.0)) - low or 1.0
    span = max(1, curve.end_ns - curve.start_ns)
    places = [
        (
            round((at - curve.start_ns) / span * WIDTH, 1),
            round(BOTTOM - min((value - low) / height, 1.0) * (BOTTOM - TOP), 1),
        )
        for at, value in finite
    ]
    gap = GAP * curve.width_ns / span * WIDTH
    return tag(
        "svg",
        tag("title", f"{curve.title} over {over}, now {shown}"),
        tag("line", class_="zero", x1=0, x2=WIDTH, y1=BOTTOM, y2=BOTTOM),
        [tag("polyline", points=" ".join(f"{x},{y}" for x, y in piece)) for piece in _pieces(places, gap)],
        class_="sparkline",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        role="img",
    )


def _pieces(places: Sequence[tuple[float, float]], gap: float) -> Iterator[list[tuple[float, float]]]:
    """Yield what lies together; a place alone becomes a short stroke."""
    piece: list[tuple[float, float]] = []
    for x, y in places:
        if piece and x - piece[-1][0] > gap:
            yield _visible(piece)
            piece = []
        piece.append((x, y))
    if piece:
        yield _visible(piece)


def _visible(piece: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return piece if len(piece) > 1 else [piece[0], (piece[0][0] + 0.1, piece[0][1])]
