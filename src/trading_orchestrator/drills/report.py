"""The report of an exercise, in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trading_orchestrator.drills.drill import Drill, Outcome


def report(drills: Sequence[Drill], outcomes: Sequence[Outcome]) -> str:
    """Return the report."""
    what = {drill.name: drill.what for drill in drills}
    rules = (
        "Faults came from other processes, through the operating system or the venue. Orders lost and doubled were "
        "judged from the venue's own log and the journal alone."
    )
    lines = [
        "# Drills",
        "",
        rules,
        "",
        "| drill | what happened | detected after | recovered after | fault lasted | lost | doubled | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.drill} | {what[one.drill]} | {_s(one.detected_after_s)} | {_s(one.recovered_after_s)} | "
        f"{one.outage_s:.2f} s | {one.lost} | {one.doubled} | {'passed' if one.passed else 'FAILED'} |"
        for one in outcomes
    ]
    lines += ["", percentiles(outcomes)]
    lines += [f"- {one.drill}: {wrong}" for one in outcomes for wrong in one.wrongs]
    return "\n".join(lines) + "\n"


def percentiles(outcomes: Sequence[Outcome]) -> str:
    """Return p50 and p99 of both times in one line; recovery counts from the end of the fault."""
    detected = sorted(one.detected_after_s for one in outcomes if one.detected_after_s is not None)
    after_end = sorted(
        max(0.0, one.recovered_after_s - one.outage_s) for one in outcomes if one.recovered_after_s is not None
    )
    return (
        f"detected after p50 {_rank(detected, 0.5)}, p99 {_rank(detected, 0.99)}; "
        f"recovered, from the end of the fault, p50 {_rank(after_end, 0.5)}, p99 {_rank(after_end, 0.99)}; "
        f"orders lost {sum(one.lost for one in outcomes)}, doubled {sum(one.doubled for one in outcomes)}"
    )


def _rank(ordered: Sequence[float], share: float) -> str:
    return f"{ordered[max(0, math.ceil(share * len(ordered)) - 1)]:.2f} s" if ordered else "never"


def _s(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.2f} s"
