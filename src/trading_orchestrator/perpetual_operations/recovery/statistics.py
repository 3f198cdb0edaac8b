"""What recovery achieved, by class of failure and by step: counts, and times to detect and to recover."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from trading_orchestrator.perpetual_operations.incidents.incident import Incident


class Times(msgspec.Struct, frozen=True):
    """Seconds; None when nothing was measured."""

    p50_s: float | None
    p99_s: float | None
    max_s: float | None


class StepTimes(msgspec.Struct, frozen=True):
    """Milliseconds that the action itself took; None when it never ran."""

    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None


class StepStatistics(msgspec.Struct, frozen=True):
    """How one action did. `repaired`: incidents whose end it gets the credit for. `took`: of all attempts."""

    action: str
    attempts: int
    done: int
    failed: int
    skipped: int
    repaired: int
    took: StepTimes


class ClassStatistics(msgspec.Struct, frozen=True):
    """How incidents of one class went. `unproved`: ended with their node or their watch; nothing proved them over."""

    failure: str
    incidents: int
    open: int
    by_themselves: int
    repaired: int
    needed_a_person: int
    detect: Times
    recover: Times
    steps: tuple[StepStatistics, ...]
    unproved: int = 0


def statistics(incidents: Iterable[Incident]) -> Sequence[ClassStatistics]:
    """Return one row per class of failure, in alphabetical order; what is merged or correlated counts once."""
    by_class: dict[str, list[Incident]] = defaultdict(list)
    for incident in incidents:
        if incident.state != "merged" and not incident.same_cause_as:
            by_class[incident.failure].append(incident)
    return [_of_class(failure, by_class[failure]) for failure in sorted(by_class)]


def times(seconds: Sequence[float]) -> Times:
    """Return nearest-rank percentiles."""
    return Times(*_ranks(seconds))


def _ranks(values: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    ordered = sorted(values)
    if not ordered:
        return None, None, None
    rank = (ordered[max(0, math.ceil(share * len(ordered)) - 1)] for share in (0.50, 0.99))
    p50, p99 = (round(value, 3) for value in rank)
    return p50, p99, round(ordered[-1], 3)


def _of_class(failure: str, incidents: Sequence[Incident]) -> ClassStatistics:
    resolved = [one for one in incidents if one.is_proved]
    return ClassStatistics(
        failure=failure,
        incidents=len(incidents),
        open=sum(not one.is_over for one in incidents),
        by_themselves=sum(not one.ended_by for one in resolved),
        repaired=sum(bool(one.ended_by) for one in resolved),
        needed_a_person=sum(any("a person is needed" in line.what for line in one.timeline) for one in incidents),
        detect=times([one.detected_after_s for one in incidents if one.detected_after_s is not None]),
        recover=times([one.recovered_after_s for one in incidents if one.recovered_after_s is not None]),
        steps=_of_steps(incidents),
        unproved=sum(one.state == "resolved" and not one.is_proved for one in incidents),
    )


def _of_steps(incidents: Sequence[Incident]) -> tuple[StepStatistics, ...]:
    counts: dict[str, dict[str, int]] = {}
    took_ms: dict[str, list[float]] = defaultdict(list)
    for incident in incidents:
        for step in incident.steps:
            row = counts.setdefault(step.action, dict.fromkeys(("done", "failed", "skipped", "late", "repaired"), 0))
            row[step.outcome] += 1
            if step.outcome != "skipped":
                took_ms[step.action].append(step.took_ms)
        if incident.ended_by in counts:
            counts[incident.ended_by]["repaired"] += 1
    return tuple(
        StepStatistics(
            action=action,
            attempts=row["done"] + row["failed"] + row["late"],
            done=row["done"],
            failed=row["failed"] + row["late"],
            skipped=row["skipped"],
            repaired=row["repaired"],
            took=StepTimes(*_ranks(took_ms[action])),
        )
        for action, row in counts.items()
    )
