"""Each kind of rule fires when what it is for happens, and neither before nor long after."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pytest

from tests.unit.alerts.rule_bench import S, Sample, books, fired, firing
from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.perpetual_operations.alerts.rules.exhaustion import until_above, until_below
from trading_orchestrator.perpetual_operations.alerts.rules.kinds.health import health_samples
from trading_orchestrator.perpetual_operations.alerts.rules.span import Span
from trading_orchestrator.perpetual_operations.health.diagnosis import Finding

NONE: Mapping[str, str] = {}


def each(seconds: Sequence[int], metric: str, values: Sequence[float]) -> dict[int, list[Sample]]:
    return {second: [(metric, NONE, value)] for second, value in zip(seconds, values, strict=True)}


def test_a_threshold_fires_after_for_and_lasts_until_clear() -> None:
    rule = {"kind": "threshold", "name": "Lag", "metric": "lag", "threshold": 100, "clear": 80, "for": 10}
    values = each(range(0, 60, 10), "lag", [101, 101, 81, 90, 80, 99])

    assert [[], ["Lag"], ["Lag"], ["Lag"], [], []] == fired(rule, values, range(0, 60, 10))


def test_a_threshold_may_be_a_share_of_two_rates() -> None:
    rule = {"kind": "threshold", "name": "Errors", "metric": "errors", "per": "requests", "function": "rate",
            "window": 60, "across": "sum", "scale": 100, "threshold": 5}  # fmt: skip
    errors = {t: [("errors", NONE, float(e)), ("requests", NONE, t * 10.0)] for t, e in ((0, 0), (30, 9), (60, 36))}

    assert [[], ["Errors"]] == fired(rule, errors, [30, 60])  # 3 %, then 6 %


def test_what_is_absent_fires_and_what_comes_ends_it() -> None:
    rule = {"kind": "absent", "name": "NoQuotes", "metric": "quotes", "window": 30}

    assert [["NoQuotes"], [], [], ["NoQuotes"]] == fired(rule, {10: [("quotes", NONE, 1.0)]}, [0, 10, 40, 41])


def test_what_is_stale_fires_however_old_it_is() -> None:
    rule = {"kind": "stale", "name": "Stale", "metric": "quotes", "older_than": 30}

    assert [[], [], ["Stale"], ["Stale"]] == fired(rule, {0: [("quotes", NONE, 1.0)]}, [0, 30, 31, 90_000])


def test_a_disk_that_fills_up_is_told_before_it_is_full_and_wild_samples_say_nothing() -> None:
    rule = {"kind": "predictive", "name": "DiskFills", "metric": "free", "limit": 0, "direction": "falls",
            "within": 600, "window": 200}  # fmt: skip
    steady = [1000.0 - t for t in range(0, 500, 10)]
    wild = [5.0 if place % 7 == 3 else 1000.0 for place in range(50)]

    seconds = range(0, 500, 10)
    assert [[], [], ["DiskFills"]] == fired(rule, each(seconds, "free", steady), [90, 390, 410])
    assert [[], []] == fired(rule, each(seconds, "free", wild), [390, 490])


@pytest.mark.parametrize(
    ("points", "above", "below"),
    [
        (
            [(t * S, 2.0 * t) for t in range(10)],
            41.0,
            0.0,
        ),  # at 9 s it is 18: below 100 already, and 82 away from above
        ([(t * S, 200.0 - 2.0 * t) for t in range(10)], 0.0, 41.0),
        ([(t * S, 7.0) for t in range(10)], math.inf, 0.0),
        ([(t * S, 2.0 * t) for t in range(7)], None, None),  # too few
        ([(t * S // 10, 2.0 * t) for t in range(10)], None, None),  # one second of ten
    ],
)
def test_the_time_that_is_left_is_known_or_not_said(
    points: list[tuple[int, float]], above: float | None, below: float | None
) -> None:
    span = Span(end_ns=9 * S, length_ns=9 * S, limit=100.0)

    assert (above, below) == (until_above(points, span), until_below(points, span))


def test_of_many_samples_the_line_is_the_same() -> None:
    few, many = ([(t * S, 3.0 * t) for t in range(0, 1000, step)] for step in (100, 1))
    span = Span(end_ns=1000 * S, length_ns=1000 * S, limit=6000.0)

    assert until_above(few, span) == until_above(many, span) == 1000.0


def test_an_anomaly_is_a_score_of_its_metric() -> None:
    rule = {"kind": "anomaly", "name": "Odd", "metric": "rss", "clear": 0.3}
    scores: dict[int, list[Sample]] = {
        t: [("anomaly_score", {"metric": name}, value)]
        for t, name, value in ((0, "cpu", 0.9), (1, "rss", 0.5), (2, "rss", 0.3), (3, "rss", 0.2))
    }

    assert [[], ["Odd"], ["Odd"], []] == fired(rule, scores, range(4))
    assert [["Odd"]] == fired({"kind": "anomaly", "name": "Odd"}, scores, [0])


def test_a_heart_that_stops_is_missed_and_so_is_one_that_never_beat() -> None:
    rule = {"kind": "heartbeat", "name": "NoBackup", "monitor": "backup", "timeout": 60}
    whole = books(rule)
    samples = whole.rules.samples()
    whole.beats.start(samples, 0)
    found = []
    for second in (59, 60, 70, 129, 130):
        if second == 70:
            whole.beats.hear("backup", samples, second * S)
        whole.rules.evaluate(samples, second * S)
        found.append(firing(whole.rules))

    assert [[], ["NoBackup"], [], [], ["NoBackup"]] == found


def test_a_heart_may_be_missed_only_after_its_first_beat() -> None:
    rule = {"kind": "heartbeat", "name": "NoBackup", "monitor": "backup", "timeout": 60, "after_first": True}
    whole = books(rule)
    samples = whole.rules.samples()
    found = [whole.beats.start(samples, 0)]
    whole.rules.evaluate(samples, 1000 * S)
    assert [] == firing(whole.rules)

    found += [whole.beats.hear("backup", samples, 1000 * S)]
    whole.rules.evaluate(samples, 1060 * S)
    assert ["NoBackup"] == firing(whole.rules)
    assert [0, 1] == [len(facts) for facts in found]


def test_a_part_that_is_down_is_told_but_not_what_it_explains() -> None:
    findings = [
        Finding("journal", HealthState.UNHEALTHY, "full disk"),
        Finding("desk", HealthState.UNKNOWN, "no answer", because_of=("journal",)),
        Finding("feed", HealthState.DEGRADED, "slow"),
    ]
    samples = {0: list(health_samples(findings))}
    down = {"kind": "health", "name": "Down"}

    assert [["Down journal"]] == fired(down, samples, [0])
    assert [["Down desk", "Down journal"]] == fired({**down, "causes_only": False}, samples, [0])
    assert [["Down feed", "Down journal"]] == fired({**down, "state": "degraded"}, samples, [0])
    assert [["Down feed"]] == fired({**down, "state": "degraded", "or_worse": False}, samples, [0])
