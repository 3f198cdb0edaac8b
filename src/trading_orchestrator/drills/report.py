"""The report of an exercise, in Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trading_orchestrator.drills.drill import Drill, Outcome

RULES = (
    "Faults came from other processes, through the operating system or the venue; where a drill names a strategy, its "
    "mistake was deployed with the arena and shown by what the venue did. Orders lost and doubled were judged from the "
    "venue's own log and the journal alone. Times count from the injection: detected, when the failure was recorded "
    "under its name; taken over, when another node took the desk; recovered, when the first order decided after the "
    "fault was accepted."
)
HEADS = (
    "drill",
    "what happened",
    "recognized as",
    "detected after",
    "taken over after",
    "recovered after",
    "fault lasted",
    "lost",
    "doubled",
    "verdict",
)


def report(drills: Sequence[Drill], outcomes: Sequence[Outcome]) -> str:
    """Return the report."""
    what = {drill.name: drill.what for drill in drills}
    lines = [
        "# Drills",
        "",
        RULES,
        "",
        f"| {' | '.join(HEADS)} |",
        f"|{'---|' * len(HEADS)}",
        *(f"| {' | '.join(_cells(one, what[one.drill]))} |" for one in outcomes),
        "",
        percentiles(outcomes),
        "",
    ]
    lines += [f"- {one.drill}: incidents {', '.join(one.incidents) or 'none'}" for one in outcomes]
    lines += [f"- {one.drill}: FAILED: {wrong}" for one in outcomes for wrong in one.wrongs]
    return "\n".join(lines) + "\n"


def _cells(one: Outcome, what: str) -> Sequence[str]:
    return (one.drill, what, *figures(one))


def figures(one: Outcome) -> Sequence[str]:
    """Return what a drill showed, one word for each column from `recognized as` on."""
    return (
        one.recognized_as or "nothing",
        seconds(one.detected_after_s, "never"),
        seconds(one.takeover_after_s, "-"),
        seconds(one.recovered_after_s, "never"),
        seconds(one.outage_s, "-"),
        str(one.lost),
        str(one.doubled),
        "passed" if one.passed else "FAILED",
    )


def percentiles(outcomes: Sequence[Outcome]) -> str:
    """Return p50 and p99 of the times in one line; recovery counts from the end of the fault."""
    detected = sorted(one.detected_after_s for one in outcomes if one.detected_after_s is not None)
    taken = sorted(one.takeover_after_s for one in outcomes if one.takeover_after_s is not None)
    after_end = sorted(
        max(0.0, one.recovered_after_s - one.outage_s) for one in outcomes if one.recovered_after_s is not None
    )
    return (
        f"detected after p50 {_rank(detected, 0.5)}, p99 {_rank(detected, 0.99)}; "
        f"taken over after p50 {_rank(taken, 0.5)}, p99 {_rank(taken, 0.99)}; "
        f"recovered, from the end of the fault, p50 {_rank(after_end, 0.5)}, p99 {_rank(after_end, 0.99)}; "
        f"orders lost {sum(one.lost for one in outcomes)}, doubled {sum(one.doubled for one in outcomes)}"
    )


def _rank(ordered: Sequence[float], share: float) -> str:
    return f"{ordered[max(0, math.ceil(share * len(ordered)) - 1)]:.2f} s" if ordered else "never"


def seconds(value: float | None, otherwise: str) -> str:
    """Return a time as it stands in a table."""
    return otherwise if value is None else f"{value:.2f} s"
