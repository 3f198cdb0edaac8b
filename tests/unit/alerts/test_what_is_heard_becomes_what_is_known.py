"""A message about an alert fills its times in, merges with what overlaps, and is a fact only when it says something."""

from __future__ import annotations

import pytest

from trading_orchestrator.perpetual_operations.alerts.alert import (
    Alert,
    AlertRefused,
    Posted,
    admitted,
    merged,
    says_nothing_new,
)

S = 1_000_000_000


def heard(now_s: float, **times_s: float) -> Alert:
    times = {f"{name}_at_ns": round(value * S) for name, value in times_s.items()}
    return admitted(Posted(labels={"a": "b"}, **times), round(now_s * S), 10 * S)  # type: ignore[arg-type]


def span_s(alert: Alert) -> tuple[float, float]:
    return alert.starts_at_ns / S, alert.ends_at_ns / S


def test_missing_times_are_filled_in() -> None:
    assert (5, 15) == span_s(heard(5))
    assert (3, 3) == span_s(heard(5, ends=3))
    assert (1, 15) == span_s(heard(5, starts=1))


@pytest.mark.parametrize("labels", [{}, {"a": ""}, {"1a": "x"}, {"a b": "x"}])
def test_an_alert_without_usable_labels_is_refused(labels: dict[str, str]) -> None:
    with pytest.raises(AlertRefused):
        admitted(Posted(labels=labels), 0, S)


def test_an_alert_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(AlertRefused):
        heard(5, starts=4, ends=3)


def test_a_confirmation_keeps_the_start_and_moves_the_assumed_end() -> None:
    assert (0, 14) == span_s(merged(heard(0), heard(4), 4 * S))


def test_an_end_that_was_told_outlasts_one_that_was_assumed() -> None:
    assert (0, 30) == span_s(merged(heard(0, ends=30, starts=0), heard(4), 4 * S))


def test_a_new_firing_after_the_end_is_an_alert_of_its_own() -> None:
    assert (6, 16) == span_s(merged(heard(4, starts=0, ends=4), heard(6), 6 * S))


@pytest.mark.parametrize(
    ("old", "new", "now_s", "is_nothing"),
    [
        (heard(0), heard(4), 4, True),
        (heard(0), heard(12), 12, False),  # it had timed out
        (heard(0), heard(4, ends=4, starts=0), 4, False),
        (heard(0, starts=0, ends=100), heard(10, starts=0, ends=110), 10, True),
        (heard(0, starts=0, ends=100), heard(60, starts=0, ends=160), 60, False),  # less than half is recorded
        (heard(0, starts=0, ends=100), heard(10, starts=0, ends=50), 10, True),  # the later of two told ends rules
    ],
)
def test_only_news_is_a_fact(old: Alert, new: Alert, now_s: int, is_nothing: bool) -> None:
    new = merged(old, new, now_s * S)

    assert is_nothing is says_nothing_new(old, old, new, now_s * S)
