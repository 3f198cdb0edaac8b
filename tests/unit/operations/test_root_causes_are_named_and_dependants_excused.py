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
        ({"journal": WELL, "feed": WELL}, "All well: every part that is watched is healthy."),
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


def low(failure: str, *, elsewhere: bool = False) -> Health:
    return Health(HealthState.DEGRADED, "is short", failure, elsewhere)


def failed(failure: str) -> Health:
    return Health(HealthState.UNHEALTHY, "fails", failure)


HOST = {
    "disk": [], "cpu": [], "leak": [], "journal": ["disk"], "event_loop": ["cpu"], "memory": ["leak"],
    "desk": ["journal"], "strategy": ["desk"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("cause", "failure", "part", "follows"),
    [
        ("disk", "disk.full", "journal", "database.lost"),
        ("cpu", "cpu.saturated", "event_loop", "event_loop.blocked"),
        ("leak", "memory.leak", "memory", "memory.pressure"),
    ],
)
def test_what_is_short_is_the_cause_of_what_it_brings_about(cause: str, failure: str, part: str, follows: str) -> None:
    readings = dict.fromkeys(HOST, WELL) | {cause: low(failure), part: failed(follows)}

    findings = diagnose(readings, HOST)

    assert [cause] == [finding.name for finding in findings if finding.is_cause]


def test_a_full_disk_is_one_cause_up_to_the_strategy() -> None:
    readings = dict.fromkeys(HOST, WELL) | {
        "disk": low("disk.full"), "journal": failed("database.lost"), "desk": failed("desk.down"),
    }  # fmt: skip

    findings = {finding.name: finding for finding in diagnose(readings, HOST)}

    assert [("disk",)] * 3 == [findings[name].because_of for name in ("journal", "desk", "strategy")]
    assert "disk is degraded: is short (affects journal, desk and strategy)." == verdict([*findings.values()])


@pytest.mark.parametrize(
    "readings",
    [
        {"disk": low("disk.full"), "journal": failed("database.locked")},  # another program keeps it
        {"disk": low("disk.full"), "journal": failed("")},
        {"disk": low("disk.low"), "journal": failed("database.lost")},  # there is room for what it writes
        {"disk": low("disk.low", elsewhere=True), "journal": failed("database.lost")},
        {"disk": low(""), "journal": failed("database.lost")},
        {"cpu": low("cpu.saturated"), "journal": failed("database.lost")},
    ],
)
def test_a_failure_with_a_reason_of_its_own_speaks_for_itself(readings: dict[str, Health]) -> None:
    findings = {finding.name: finding for finding in diagnose(dict.fromkeys(HOST, WELL) | readings, HOST)}

    assert findings["journal"].is_cause
    assert HealthState.UNHEALTHY is findings["journal"].state


def test_what_is_short_marks_nobody_who_is_well() -> None:
    readings = dict.fromkeys(HOST, WELL) | {"disk": low("disk.low"), "cpu": low("cpu.saturated")}

    assert ["disk", "cpu"] == [one.name for one in diagnose(readings, HOST) if one.state is not HealthState.HEALTHY]


def test_what_another_node_answers_for_explains_here_and_is_told_there() -> None:
    elsewhere = low("disk.full", elsewhere=True)
    quiet = diagnose({"disk": elsewhere, "journal": WELL}, HOST)
    loud = diagnose({"disk": elsewhere, "journal": failed("database.lost")}, HOST)

    assert [HealthState.HEALTHY] * 2 == [finding.state for finding in quiet]
    assert [(), ("disk",)] == [finding.because_of for finding in loud]
    assert "disk is degraded: is short (affects journal)." == verdict(loud)
