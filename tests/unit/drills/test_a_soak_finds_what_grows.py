"""A soak passes on healthy noise and fails on what grows, on a bound that was passed once, and on what a drill lost."""

from __future__ import annotations

from collections.abc import Callable
from math import sin

import pytest

from trading_orchestrator.drills.catalogue import DRILLS
from trading_orchestrator.drills.drill import Outcome
from trading_orchestrator.drills.soak import Soaked, SoakPlan, drill_number
from trading_orchestrator.drills.soak_report import report
from trading_orchestrator.drills.soak_verdict import Line, Reading, judge_lines

HOUR_S = 3600.0


def noise(number: int) -> float:
    """Return something between -1 and 1 that follows no line, and is the same each time."""
    return sin(12.9898 * number * number)


def life(value: Callable[[float], float], *, hours: float = 2.0, what: str = "pss", of: str = "node-1") -> list[Line]:
    """Return the verdict on a line of one sample each ten seconds; `value` is told the hours that passed."""
    count = int(hours * 360)
    return judge_lines(Reading(10.0 * n, of, what, value(n / 360)) for n in range(count))


def test_healthy_noise_passes() -> None:
    (line,) = life(lambda hours: 80 + 3 * noise(int(hours * 360)))

    assert "" == line.wrong
    assert (719 * 10.0, 720) == (line.span_s, line.samples)


def test_a_cache_that_fills_and_a_sawtooth_pass() -> None:
    (cache,) = life(lambda hours: 80 + 7 * (1 - 2.0 ** (-20 * hours)) + noise(int(hours * 360)))
    (sawtooth,) = life(lambda hours: 1 + 30 * (hours * 9 % 1), what="wal", of="journal.db-wal")

    assert ("", "") == (cache.wrong, sawtooth.wrong)


def test_a_leak_of_ten_megabytes_an_hour_fails_and_is_measured() -> None:
    (line,) = life(lambda hours: 80 + 10 * hours + 2 * noise(int(hours * 360)))

    assert pytest.approx(10.0, abs=0.3) == line.slope_per_h
    assert "node-1: pss grew by at least" in line.wrong
    assert "expected at most 10.0 MB" in line.wrong


def test_one_descriptor_lost_every_five_minutes_fails() -> None:
    (line,) = life(lambda hours: 40 + int(hours * 12), what="descriptors", of="keeper")

    assert "keeper: descriptors grew by at least" in line.wrong


def test_a_single_wild_hour_bends_no_line_but_a_bound_that_was_passed_once_counts() -> None:
    (spike,) = life(lambda hours: 180.0 if 1.0 < hours < 1.2 else 80 + noise(int(hours * 360)))
    (over,) = life(lambda hours: 210.0 if 1.0 < hours < 1.01 else 80 + noise(int(hours * 360)))

    assert "" == spike.wrong
    assert "node-1: pss reached 210.0 MB, its bound is 200.0 MB" == over.wrong


def test_a_short_life_shows_no_trend() -> None:
    (line,) = life(lambda hours: 80 + 5000 * hours, hours=0.02)

    assert (None, "") == (line.slope_per_h, line.wrong)


def test_the_same_seed_gives_the_same_drills() -> None:
    def first(seed: int) -> list[str]:
        return [drill_number(number, seed, DRILLS).name for number in range(20)]

    assert first(1) == first(1)
    assert first(1) != first(2)


def test_the_report_names_every_broken_promise() -> None:
    soaked = Soaked(SoakPlan(hours=2.0, seed=7, orders_per_s=20.0, drill_every_s=300.0), lasted_s=2 * HOUR_S)
    soaked.lines = life(lambda hours: 80 + 10 * hours)
    missed = ("expected orders again within 30 s",)
    soaked.outcomes = [Outcome("kill-trader", "node.death", 0.1, None, None, 0.0, 0, 0, missed)]
    soaked.wrongs = ["trade 5 was never booked"]

    told = report(soaked)

    assert "seed 7" in told
    assert "3 bounds or promises are BROKEN" in told
    assert "- BROKEN: drill kill-trader: expected orders again within 30 s" in told
    assert "- BROKEN: trade 5 was never booked" in told
