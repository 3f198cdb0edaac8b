"""One metric over the last hours, as a page: each of its series as a curve with lowest, highest and last value."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trading_orchestrator.perpetual_operations.console.last_hour import Curve
from trading_orchestrator.perpetual_operations.console.page.html import Html, join, tag
from trading_orchestrator.perpetual_operations.console.page.sparkline import sparkline
from trading_orchestrator.perpetual_operations.console.page.words import figure, number
from trading_orchestrator.perpetual_operations.monitoring.history.answers import Range


def chart_page(asked: str, found: Sequence[Range], *, hours: float, more: int) -> Html:
    """Return the curves, or a plain sentence when there is none.

    Args:
        more: how many series of this name are not drawn.
    """
    drawn = [_curve(one, hours) for one in found if any(map(math.isfinite, one.max))]
    empty = f"Nothing was recorded of {asked} in the last {hours:g} h. The history keeps what each node measures; "
    return join(
        (
            tag("h1", asked),
            tag("p", f"The last {hours:g} h, from the metrics history.", class_="note"),
            drawn or tag("p", empty, tag("a", "its series", href="api/metrics/series"), ".", class_="empty"),
            tag("p", f"and {more} more series of this name", class_="note") if more > 0 else None,
        )
    )


def _curve(one: Range, hours: float) -> Html:
    low = min(value for value in one.min if math.isfinite(value))
    high = max(value for value in one.max if math.isfinite(value))
    last = [value for value in one.mean if math.isfinite(value)][-1]
    curve = Curve(one.series, one.series, one.start_ns, one.end_ns, one.width_ns, one.at_ns, one.max)
    drawing = sparkline(curve, shown=_shown(last), low=min(0.0, low), over=f"the last {hours:g} h")
    figures = (("lowest", low), ("highest", high), ("last", last))
    return tag(
        "figure",
        tag("figcaption", tag("code", one.series)),
        drawing,
        tag("dl", [figure(name, _shown(value)) for name, value in figures], class_="figures"),
        class_="chart",
    )


def _shown(value: float) -> str:
    return number(f"{value:.6g}")
