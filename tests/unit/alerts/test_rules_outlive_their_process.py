"""What is pending, fires or is kept firing goes on in the next process, which knows no samples yet."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.unit.alerts.rule_bench import S, books, firing
from trading_orchestrator.perpetual_operations.alerts.rules.facts import body_of
from trading_orchestrator.perpetual_operations.alerts.rules.rule_book import RuleBook, RuleChanged
from trading_orchestrator.perpetual_operations.alerts.rules.samples import Samples

LAG: dict[str, Any] = {"kind": "threshold", "name": "Lag", "metric": "lag", "threshold": 100, "for": 60}


def successor(book: RuleBook, rule: dict[str, Any], now_s: int) -> tuple[RuleBook, Samples]:
    """Return a new book of the same rule, folded from the old one's facts in their stored form."""
    new = books(rule).rules
    for fact in book.snapshot():
        stored = body_of(fact.kind, msgspec.json.encode(fact))
        assert isinstance(stored, RuleChanged)
        new.apply(stored)
    assert book.alive() == new.alive()
    samples = new.samples()
    new.start(now_s * S)
    return new, samples


def begun(rule: dict[str, Any], value: float = 150.0) -> RuleBook:
    book = books(rule).rules
    samples = book.samples()
    samples.add("lag", {"feed": "a"}, 0, value)
    book.evaluate(samples, 0)
    return book


def test_what_was_pending_fires_when_its_whole_time_is_over() -> None:
    book, samples = successor(begun(LAG), LAG, 30)

    samples.add("lag", {"feed": "a"}, 59 * S, 150.0)
    book.evaluate(samples, 59 * S)
    assert [] == firing(book)
    book.evaluate(samples, 60 * S)
    assert ["Lag"] == firing(book)


def test_what_fired_neither_ends_nor_is_told_before_its_series_is_seen_again() -> None:
    rule = {**LAG, "for": 0}
    book, samples = successor(begun(rule), rule, 30)

    samples.add("lag", {"feed": "b"}, 40 * S, 1.0)
    evaluation = book.evaluate(samples, 40 * S)
    assert (["Lag"], []) == (firing(book), evaluation.alerts)

    samples.add("lag", {"feed": "a"}, 50 * S, 1.0)
    assert [50 * S] == [one.ends_at_ns for one in book.evaluate(samples, 50 * S).alerts]
    assert [] == firing(book)


def test_patience_ends_after_one_look_back() -> None:
    rule = {**LAG, "for": 0}
    book, samples = successor(begun(rule), rule, 30)

    book.evaluate(samples, 329 * S)
    assert ["Lag"] == firing(book)
    book.evaluate(samples, 330 * S)
    assert [] == firing(book)


def test_a_new_process_does_not_take_its_own_ignorance_for_absence() -> None:
    rule = {"kind": "absent", "name": "NoLag", "metric": "lag"}
    book = books(rule).rules
    samples = book.samples()
    book.start(0)

    book.evaluate(samples, 299 * S)
    assert [] == firing(book)
    book.evaluate(samples, 300 * S)
    assert ["NoLag"] == firing(book)


def test_what_was_kept_firing_is_kept_no_longer_than_its_time() -> None:
    rule = {**LAG, "for": 0, "keep_firing_for": 100}
    book = begun(rule)
    samples = book.samples()
    samples.add("lag", {"feed": "a"}, 10 * S, 1.0)
    book.evaluate(samples, 10 * S)
    book, samples = successor(book, rule, 30)

    samples.add("lag", {"feed": "a"}, 40 * S, 1.0)
    book.evaluate(samples, 109 * S)
    assert ["Lag"] == firing(book)
    book.evaluate(samples, 110 * S)
    assert [] == firing(book)


@pytest.mark.parametrize(("errors", "shown"), [(3.0, "+Inf"), (-3.0, "-Inf"), (0.0, "NaN")])
def test_what_fired_at_a_number_that_json_does_not_know_is_told_on_with_it(errors: float, shown: str) -> None:
    rule = {**LAG, "for": 0, "per": "requests", "compare": "!=", "annotations": {"says": "at {{ $value }}"}}
    book = books(rule).rules
    samples = book.samples()
    samples.add("lag", {"feed": "a"}, 0, errors)
    samples.add("requests", {"feed": "a"}, 0, 0.0)
    book.evaluate(samples, 0)
    (fact,) = book.snapshot()
    read = body_of(fact.kind, msgspec.json.encode(fact))
    assert isinstance(read, RuleChanged)
    new = books({**rule, "keep_firing_for": 600}).rules
    new.apply(read)
    samples = new.samples()
    samples.add("lag", {"feed": "a"}, 9 * S, 100.0)
    samples.add("requests", {"feed": "a"}, 9 * S, 1.0)

    assert [f"at {shown}"] == [one.annotations["says"] for one in new.evaluate(samples, 9 * S).alerts]


def test_a_number_that_an_older_release_lost_ends_nothing() -> None:
    (fact,) = begun({**LAG, "for": 0}).snapshot()
    written = msgspec.json.encode(fact).replace(b'"value":150.0', b'"value":null')
    read = body_of(fact.kind, written)
    assert isinstance(read, RuleChanged)
    book = books(LAG).rules
    book.apply(read)

    assert ["nan"] == [str(known.value) for known in book.alive()["Lag"]]


def test_a_rule_says_how_much_of_the_past_a_start_should_fill_in() -> None:
    rule = {**LAG, "function": "avg", "window": 3600}

    assert {"lag": 3600 * S} == books(rule).rules.memory()
