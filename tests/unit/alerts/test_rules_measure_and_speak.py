"""Rules: hysteresis, texts, ages, broken rules, and settings that are refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.alerts.rules.rule import Condition, Measure, Rule
from trading_orchestrator.perpetual_operations.alerts.rules.rule_book import Evaluation, RuleBook, SameLabels
from trading_orchestrator.perpetual_operations.alerts.rules.samples import Samples
from trading_orchestrator.perpetual_operations.alerts.rules.template import TemplateRefused, filled, shown

S = 1_000_000_000
HIGH = {"measure": {"metric": "lag"}, "compare": ">", "threshold": 100}


def rule(**fields: Any) -> Rule:
    return msgspec.convert({"name": "Lag", "conditions": [HIGH], **fields}, Rule)


def told(book: RuleBook, values: list[float], **labels: str) -> list[Evaluation]:
    samples = Samples(keep_ns=book.keep_ns)
    found = []
    for second, value in enumerate(values):
        samples.add("lag", labels, second * S, value)
        found.append(book.evaluate(samples, second * S))
    return found


def test_with_a_clear_value_it_fires_until_that_is_passed() -> None:
    book = RuleBook([rule(conditions=[{**HIGH, "clear": 80}])])

    evaluations = told(book, [90, 101, 90, 81, 80, 90])

    assert [0, 1, 1, 1, 1, 0] == [len(one.alerts) for one in evaluations]
    assert [None, None, None, None, 4 * S, None] == [
        one.alerts[0].ends_at_ns if one.alerts else None for one in evaluations
    ]


def test_an_alert_that_goes_on_firing_is_posted_and_is_no_fact() -> None:
    evaluations = told(RuleBook([rule()]), [150, 160, 170])

    assert [1, 0, 0] == [len(one.facts) for one in evaluations]
    assert [1, 1, 1] == [len(one.alerts) for one in evaluations]


def test_an_alert_starts_when_it_fires_and_not_when_it_became_pending() -> None:
    evaluations = told(RuleBook([rule(**{"for": 2})]), [150, 150, 150, 150, 50])

    assert [2 * S, 2 * S, 2 * S] == [alert.starts_at_ns for one in evaluations for alert in one.alerts]


def test_texts_speak_of_labels_and_value() -> None:
    book = RuleBook([rule(annotations={"summary": "{{ $labels.feed }} is {{ $value }} ms late"})])

    assert "a is 150 ms late" == told(book, [150], feed="a")[0].alerts[0].annotations["summary"]


def test_a_kept_alert_is_still_posted_with_its_last_text() -> None:
    book = RuleBook([rule(keep_firing_for=10, annotations={"summary": "{{ $value }}"})])

    assert ["150", "150"] == [one.alerts[0].annotations["summary"] for one in told(book, [150, 50])]


def test_the_age_of_a_silent_series_is_seen_however_old_it_is() -> None:
    measure = Measure(metric="beat", function="age")
    book = RuleBook([Rule(name="Stale", conditions=(Condition(measure=measure, compare=">", threshold=600.0),))])
    samples = Samples(keep_ns=book.keep_ns)
    samples.add("beat", {"feed": "a"}, 0, 1.0)

    assert [0, 1] == [len(book.evaluate(samples, now_s * S).alerts) for now_s in (600, 3600)]


def test_a_rule_whose_labels_make_two_alerts_equal_is_broken_and_spoils_no_other() -> None:
    by_feed = rule(name="ByFeed")
    book = RuleBook([rule(labels={"feed": "all"}), by_feed])
    samples = Samples(keep_ns=book.keep_ns)
    for feed in ("a", "b"):
        samples.add("lag", {"feed": feed}, 0, 150.0)

    evaluation = book.evaluate(samples, 0)

    assert ["Lag"] == list(evaluation.broken)
    assert isinstance(evaluation.broken["Lag"], SameLabels)
    assert 2 == len(evaluation.alerts)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"labels": {"a-b": "x"}},
        {"annotations": {"summary": "{{ $valu }}"}},
        {"conditions": [{**HIGH, "clear": 120}]},
        {"conditions": [{"measure": {"metric": "lag", "function": "rate"}}]},
        {"conditions": [{"measure": {"metric": "lag", "by": ["feed"]}}]},
        {"conditions": [{"measure": {"metric": "lag", "where": ["="]}}]},
    ],
)
def test_a_rule_that_cannot_work_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        RuleBook([rule(**fields)])


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(Refused, match="two rules are named 'Lag'"):
        RuleBook([rule(), rule()])


@pytest.mark.parametrize(
    ("value", "text"),
    [(150.0, "150"), (0.1, "0.1"), (1e6, "1000000"), (1e21, "1e+21"), (0.00001, "1e-05"), (-2.5, "-2.5"), (0.0, "0"),
     (float("inf"), "+Inf"), (float("nan"), "NaN")],
)  # fmt: skip
def test_numbers_read_as_prometheus_writes_them(value: float, text: str) -> None:
    assert text == shown(value)


def test_holes_may_be_formatted() -> None:
    assert "about 3.14!" == filled('about {{ printf "%.2f" $value }}!', {}, 3.14159)
    with pytest.raises(TemplateRefused):
        filled("{{ query }}", {}, 0)


@pytest.mark.parametrize(("window_s", "late_s"), [(60, 0), (4_000, 10), (100_000, 60)])
def test_a_window_is_looked_at_anew_after_a_small_share_of_its_length(window_s: float, late_s: int) -> None:
    measure = {"metric": "lag", "function": "max", "window": window_s}
    book = RuleBook([rule(conditions=[{**HIGH, "measure": measure}])])
    evaluations = told(book, [90.0] + [150.0] * 70)

    first = next(second for second, one in enumerate(evaluations) if one.alerts)

    assert first == max(1, late_s)
