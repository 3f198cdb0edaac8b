"""A part counts as worse, and as better again, only after readings in a row that say so."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations.health.health_checker import HealthChecker, ProbeWithoutDeadline
from trading_orchestrator.perpetual_operations.health.steadying import Steadying

LETTERS = {
    "h": HealthState.HEALTHY,
    "d": HealthState.DEGRADED,
    "u": HealthState.UNHEALTHY,
    "?": HealthState.UNKNOWN,
    "s": HealthState.STARTING,
}


def counted(readings: str, *, fall: int = 2, rise: int = 3) -> str:
    steadying = Steadying(fall, rise)
    names = {state: letter for letter, state in LETTERS.items()}
    return "".join(names[steadying.hear(Health(LETTERS[letter])).state] for letter in readings)


@pytest.mark.parametrize(
    ("readings", "counts_as"),
    [
        ("hhuhh", "hhhhh"),
        ("hhuuh", "hhhuu"),
        ("uuhhh", "suuuh"),
        ("uuhhuhh", "suuuuuu"),
        ("hduh", "hhuu"),
        ("uu?u", "su?u"),
        ("uhh", "shh"),
        ("hdd", "hhd"),
    ],
)
def test_readings_count_after_as_many_in_a_row(readings: str, counts_as: str) -> None:
    assert counts_as == counted(readings)


@given(st.text("hdu", min_size=1, max_size=60))
def test_it_never_changes_more_often_than_the_thresholds_allow(readings: str) -> None:
    said = counted(readings, fall=3, rise=3)

    changes = [index for index in range(1, len(said)) if said[index] != said[index - 1]]
    assert all(later - earlier >= 3 for earlier, later in zip(changes, changes[1:], strict=False))


async def rounds(checker: HealthChecker, number: int) -> Sequence[HealthState]:
    return [(await checker.check()).parts[0].state for _ in range(number)]


async def test_the_checker_steadies_each_probe() -> None:
    checker = HealthChecker(VirtualClock(), interval_s=1, deadline_s=1, fall=2, rise=1)
    answers = iter([HealthState.HEALTHY, HealthState.UNHEALTHY, HealthState.UNHEALTHY, HealthState.HEALTHY])

    async def probe() -> Health:
        return Health(next(answers), failure="database.slow")

    checker.add("database", probe)

    expected = [HealthState.HEALTHY, HealthState.HEALTHY, HealthState.UNHEALTHY]
    assert expected == await rounds(checker, 3)
    assert "database.slow" == checker.report.parts[0].failure
    assert [HealthState.HEALTHY] == await rounds(checker, 1)


@pytest.mark.parametrize("deadline_s", [0.0, -1.0, float("inf"), float("nan")])
def test_a_probe_without_a_deadline_is_refused(deadline_s: float) -> None:
    async def probe() -> Health:
        return Health(HealthState.HEALTHY)

    with pytest.raises(ProbeWithoutDeadline, match="'endless' needs a deadline"):
        HealthChecker(VirtualClock(), interval_s=1, deadline_s=1).add("endless", probe, deadline_s=deadline_s)
