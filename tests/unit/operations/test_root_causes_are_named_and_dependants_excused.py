"""A failure is told once, by its cause; what only suffers from it is marked, not blamed."""

from __future__ import annotations

import pytest

from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.health.diagnosis import diagnose, verdict

WELL = Health(HealthState.HEALTHY, "fine")
DOWN = Health(HealthState.UNHEALTHY, "does not answer")
GRAPH = {"journal": [], "feed": [], "desk": ["journal", "feed"], "report": ["desk"]}


def causes_of(readings: dict[str, Health]) -> dict[str, tuple[str, ...]]:
    return {finding.name: finding.because_of for finding in diagnose(readings, GRAPH)}


def test_everything_above_a_broken_part_names_it_as_the_cause() -> None:
    said = causes_of({"journal": DOWN, "feed": WELL, "desk": DOWN, "report": WELL})

    assert {"journal": (), "feed": (), "desk": ("journal",), "report": ("journal",)} == said


def test_two_broken_roots_are_both_named() -> None:
    said = causes_of({"journal": DOWN, "feed": DOWN, "desk": DOWN, "report": DOWN})

    assert ("journal", "feed") == said["report"]


def test_a_part_that_breaks_on_its_own_is_its_own_cause() -> None:
    findings = diagnose({"journal": WELL, "feed": WELL, "desk": DOWN, "report": WELL}, GRAPH)

    assert ["desk"] == [finding.name for finding in findings if finding.is_cause]


def test_a_dependant_that_still_reads_well_is_degraded_while_its_cause_lasts() -> None:
    findings = {one.name: one for one in diagnose({"journal": DOWN, "feed": WELL, "desk": WELL, "report": WELL}, GRAPH)}

    assert HealthState.DEGRADED is findings["report"].state
    assert HealthState.HEALTHY is findings["feed"].state


def test_a_degraded_part_is_told_but_pulls_nobody_down() -> None:
    slow = Health(HealthState.DEGRADED, "is slow")

    findings = diagnose({"journal": slow, "feed": WELL, "desk": WELL, "report": WELL}, GRAPH)

    assert "journal is degraded: is slow." == verdict(findings)


@pytest.mark.parametrize(
    ("readings", "said"),
    [
        ({"journal": WELL, "feed": WELL}, "All well: journal and feed."),
        ({"journal": Health(HealthState.STARTING), "feed": WELL}, "Starting: journal."),
        (
            {"journal": DOWN, "feed": WELL, "desk": DOWN, "report": DOWN},
            "journal is unhealthy: does not answer (affects desk and report).",
        ),
        ({}, "Nothing is watched yet."),
    ],
)
def test_the_verdict_is_one_sentence(readings: dict[str, Health], said: str) -> None:
    assert said == verdict(diagnose(readings, GRAPH))
