"""Time intervals: each field, ranges from a month's end, time zones; nonsense is refused with the text."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from trading_orchestrator.perpetual_operations.alerts.time_intervals import (
    TimeIntervalConfig,
    TimeIntervalRefused,
    checked,
)


def contains(at: str, **fields: object) -> bool:
    config = msgspec.convert(fields, TimeIntervalConfig)
    at_ns = int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()) * 1_000_000_000
    return checked(config).contains(at_ns)


@pytest.mark.parametrize(
    ("fields", "inside", "outside"),
    [
        ({"times": [{"start_time": "09:00", "end_time": "17:00"}]}, "2026-11-23T09:00", "2026-11-23T17:00"),
        ({"times": [{"start_time": "22:00", "end_time": "24:00"}]}, "2026-11-23T23:59", "2026-11-23T00:00"),
        ({"weekdays": ["monday:friday"]}, "2026-11-23T12:00", "2026-11-22T12:00"),
        ({"weekdays": ["saturday", "sunday"]}, "2026-11-22T12:00", "2026-11-23T12:00"),
        ({"days_of_month": ["-3:-1"]}, "2026-11-28T00:00", "2026-11-27T00:00"),
        ({"days_of_month": ["31"]}, "2026-12-31T00:00", "2026-11-30T00:00"),
        ({"days_of_month": ["25:31"]}, "2026-11-30T00:00", "2026-11-24T00:00"),
        ({"months": ["november:december"]}, "2026-12-01T00:00", "2026-10-31T00:00"),
        ({"months": ["2"]}, "2026-02-01T00:00", "2026-03-01T00:00"),
        ({"years": ["2020:2026"]}, "2026-12-31T23:59", "2027-01-01T00:00"),
        (
            {"times": [{"start_time": "09:00", "end_time": "10:00"}], "location": "America/New_York"},
            "2026-07-01T13:30",  # summer time there
            "2026-12-01T13:30",
        ),
    ],
)
def test_an_interval_contains_what_it_says(fields: dict[str, object], inside: str, outside: str) -> None:
    assert (True, False) == (contains(inside, **fields), contains(outside, **fields))


def test_every_field_must_agree() -> None:
    both = {"weekdays": ["monday"], "months": ["november"]}

    assert [True, False, False] == [
        contains(at, **both) for at in ("2026-11-23T00:00", "2026-11-24T00:00", "2026-12-07T00:00")
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"weekdays": ["funday"]},
        {"weekdays": ["friday:monday"]},
        {"months": ["13"]},
        {"days_of_month": ["0"]},
        {"days_of_month": ["-1:5"]},
        {"times": [{"start_time": "10:00", "end_time": "09:00"}]},
        {"location": "Mars/Olympus"},
        {"years": ["soon"]},
    ],
)
def test_nonsense_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(TimeIntervalRefused):
        contains("2026-11-23T00:00", **fields)


@pytest.mark.parametrize("text", ["24:01", "12:60", "9:00", "25:00", "noon"])
def test_what_is_no_time_of_the_day_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        contains("2026-11-23T00:00", times=[{"start_time": "00:00", "end_time": text}])
