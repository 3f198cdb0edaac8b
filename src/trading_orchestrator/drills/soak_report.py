"""The report of a soak, in Markdown, and its lines for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from trading_orchestrator.drills.report import percentiles
from trading_orchestrator.drills.soak import Soaked
from trading_orchestrator.drills.soak_verdict import Line

RULE = (
    "Slopes are medians of pairwise slopes (Theil 1950, Sen 1968) after the first 30 s of each process; a line is "
    "broken when the least growth that fits it is more than it may grow, or when it was above its bound once."
)
HEADS = ("of", "what", "lived", "first", "last", "most", "slope per hour", "surely at least", "verdict")


def cells(line: Line) -> Sequence[str]:
    """Return one row of the table."""
    return (
        line.of,
        f"{line.what} {line.unit}".strip(),
        f"{line.span_s / 60:.1f} min",
        f"{line.first:.1f}",
        f"{line.last:.1f}",
        f"{line.most:.1f}",
        _rate(line.slope_per_h),
        _rate(line.low_per_h),
        "BROKEN" if line.wrong else "kept",
    )


def summary(soaked: Soaked) -> str:
    """Return the soak in one sentence."""
    plan, minutes = soaked.plan, soaked.lasted_s / 60
    drills = f"{len(soaked.outcomes)} drills ({percentiles(soaked.outcomes)})" if soaked.outcomes else "no drills"
    verdict = f"{len(soaked.broken)} bounds or promises are BROKEN" if soaked.broken else "every bound was kept"
    rate = soaked.orders / soaked.lasted_s if soaked.lasted_s else 0.0
    return (
        f"{minutes:.1f} min, seed {plan.seed}, {soaked.orders} orders ({rate:.1f}/s), "
        f"{soaked.facts} facts, {drills}: {verdict}"
    )


def report(soaked: Soaked) -> str:
    """Return the report."""
    lines = [
        "# Soak",
        "",
        summary(soaked),
        "",
        RULE,
        "",
        f"| {' | '.join(HEADS)} |",
        f"|{'---|' * len(HEADS)}",
        *(f"| {' | '.join(cells(line))} |" for line in soaked.lines),
        "",
    ]
    lines += [
        f"- drill {one.drill}: {'passed' if one.passed else 'FAILED'}, detected after {one.detected_after_s} s, "
        f"recovered after {one.recovered_after_s} s, lost {one.lost}, doubled {one.doubled}"
        for one in soaked.outcomes
    ]
    lines += [f"- BROKEN: {wrong}" for wrong in soaked.broken]
    return "\n".join(lines) + "\n"


def _rate(per_h: float | None) -> str:
    return "-" if per_h is None else f"{per_h:+.2f}"
