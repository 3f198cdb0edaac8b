"""Burn rates: fast burns page within minutes, slow ones make a ticket, few events make nothing, no data is told."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.unit.alerts.rule_bench import S, books
from trading_orchestrator.perpetual_operations.alerts.rules.rule_book import RuleBook

SLO: dict[str, Any] = {"kind": "burn_rate", "name": "Orders", "bad": "bad", "total": "all", "objective": 0.999}
STEP_S = 60


def alerts_after(bad_share: float, hours: float, *, per_minute: float = 60.0, **fields: Any) -> dict[str, str]:
    """Return name → severity of what fires after so many hours of traffic with so many errors, well before."""
    book = books({**SLO, **fields}).rules
    samples, bad, total = book.samples(), 0.0, 0.0
    clean_s = 4 * 86_400
    end_s = clean_s + round(hours * 3600)
    for second in range(0, end_s + 1, STEP_S):
        total += per_minute
        bad += per_minute * bad_share if second > clean_s else 0.0
        samples.add("bad", {}, second * S, bad)
        samples.add("all", {}, second * S, total)
    book.evaluate(samples, end_s * S)
    return told(book)


def told(book: RuleBook) -> dict[str, str]:
    return {one.labels["alertname"]: one.labels["severity"] for alive in book.alive().values() for one in alive}


@pytest.mark.parametrize(
    ("bad_share", "hours", "expected"),
    [
        (0.0005, 80, {}),  # half of what the budget allows
        (0.0012, 80, {"OrdersBurns3d": "warning"}),
        (0.004, 24, {"OrdersBurns1d": "warning", "OrdersBurns3d": "warning"}),
        (0.02, 0.5, {}),  # not yet 2 % of the month's budget
        (0.02, 0.8, {"OrdersBurns1h": "critical"}),
    ],
)
def test_each_pace_has_its_alert(bad_share: float, hours: float, expected: dict[str, str]) -> None:
    assert expected == alerts_after(bad_share, hours)


def test_everything_broken_pages_within_minutes() -> None:
    assert "critical" == alerts_after(1.0, 0.1)["OrdersBurns1h"]


def test_few_events_are_no_rate() -> None:
    assert {} == alerts_after(1.0, 0.1, per_minute=0.01, no_data_for=0, events_min=50)


def test_no_data_is_an_alert_itself() -> None:
    book = books({**SLO, "severity": "critical"}).rules
    samples = book.samples()
    samples.add("all", {}, 0, 1.0)
    book.evaluate(samples, 900 * S)
    assert {} == told(book)

    book.evaluate(samples, 901 * S)
    assert {"OrdersNoData": "critical"} == told(book)


def test_bad_and_all_may_be_one_counter() -> None:
    book = books({**SLO, "bad": "answers", "total": "answers", "bad_where": ['status=~"5.."']}).rules
    samples = book.samples()
    for minute in range(120):
        for status, per_minute in (("200", 95.0), ("500", 5.0), ("404", 100.0)):
            samples.add("answers", {"status": status}, minute * STEP_S * S, minute * per_minute)
    book.evaluate(samples, 119 * STEP_S * S)

    values = {one.labels["alertname"]: round(one.value, 4) for alive in book.alive().values() for one in alive}
    assert 0.025 == values["OrdersBurns1h"]


def test_alerts_of_one_promise_are_told_apart_by_their_window_and_together_by_their_slo() -> None:
    rules = books(SLO).rules.rules.values()

    assert ["1h", "6h", "1d", "3d"] == [rule.labels["window"] for rule in rules if "window" in rule.labels]
    assert {"Orders"} == {rule.labels["slo"] for rule in rules}


def test_three_days_of_a_counter_at_one_sample_a_second_stay_small_and_exact() -> None:
    book = books(SLO).rules
    samples = book.samples()
    for second in range(40_000):
        samples.add("all", {}, second * S, float(second % 9_000))

    series = next(samples.of("all", ()))

    assert 3_600 < len(series.at_ns) < 4_400
    values = [value for value in series.values if value is not None]
    assert [8_999.0] * 4 == [before for before, after in pairwise(values) if after < before]
