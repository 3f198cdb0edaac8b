"""Schedules: turns by the local clock through its changes, windows, side by side, now and next; nonsense is refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from trading_orchestrator.perpetual_operations.alerts.escalation.on_call import now_and_next, shifts
from trading_orchestrator.perpetual_operations.alerts.escalation.schedule import (
    Schedule,
    ScheduleConfig,
    ScheduleRefused,
    checked_schedules,
)

BERLIN = "Europe/Berlin"
PEOPLE = {"ann", "bob", "cid"}
WEEKLY = {"people": ["ann", "bob"], "start": "2026-10-19T09:00"}


def schedule(*rotations: dict[str, Any], time_zone: str = BERLIN) -> Schedule:
    config = msgspec.convert({"time_zone": time_zone, "rotations": list(rotations)}, ScheduleConfig)
    return checked_schedules({"ops": config}, PEOPLE)["ops"]


def ns(local: str, zone: str = BERLIN, fold: int = 0) -> int:
    return int(datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()) * 1_000_000_000


def local(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // 1_000_000_000, ZoneInfo(BERLIN)).isoformat(timespec="minutes")[:16]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-10-19T08:59", ()),  # before the first turn
        ("2026-10-19T09:00", ("ann",)),
        ("2026-10-26T08:59", ("ann",)),  # the clock went back on the 25th: the turn has an hour more
        ("2026-10-26T09:00", ("bob",)),
        ("2026-11-02T09:00", ("ann",)),
        ("2027-03-29T08:59", ("ann",)),  # it went forward on the 28th
        ("2027-03-29T09:00", ("bob",)),
    ],
)
def test_a_weekly_turn_begins_at_the_same_local_time_all_year(at: str, expected: tuple[str, ...]) -> None:
    assert expected == schedule(WEEKLY).on_call(ns(at))


def test_a_handover_in_the_hour_that_comes_twice_happens_once() -> None:
    ops = schedule({"people": ["ann", "bob"], "start": "2026-10-24T02:30", "turns": "daily"})

    first = [ops.on_call(ns(f"2026-10-25T{at}")) for at in ("02:29", "02:30", "02:59")]
    again = [ops.on_call(ns(f"2026-10-25T{at}", fold=1)) for at in ("02:00", "02:29", "02:30")]

    assert [("ann",), ("bob",), ("bob",)] == first
    assert [("bob",)] * 3 == again


def test_a_handover_in_the_hour_that_is_left_out_happens_within_an_hour() -> None:
    ops = schedule({"people": ["ann", "bob"], "start": "2027-03-27T02:30", "turns": "daily"})

    assert [("ann",), ("bob",)] == [ops.on_call(ns(f"2027-03-28T{at}")) for at in ("01:59", "03:30")]


def test_hours_are_counted_and_not_read_from_the_clock() -> None:
    ops = schedule({"people": ["ann", "bob", "cid"], "start": "2026-10-25T00:00", "turns": "hourly", "every": 2})

    found = [ops.on_call(ns(f"2026-10-25T{at}"))[0] for at in ("00:00", "01:59", "02:00", "03:00", "05:00", "22:59")]
    assert ["ann", "ann", "bob", "cid", "ann", "cid"] == found  # at 03:00 four hours are over


def test_office_hours_and_nights_stand_side_by_side() -> None:
    office = [{"weekdays": ["monday:friday"], "times": [{"start_time": "09:00", "end_time": "17:00"}]}]
    ops = schedule(
        {"people": ["ann"], "start": "2026-01-01T00:00", "only": office},
        {"people": ["bob"], "start": "2026-01-01T00:00", "only": [{"weekdays": ["saturday", "sunday"]}]},
    )

    # a Friday, by the clock of Berlin
    found = shifts(ops, [], ns("2026-11-20T08:00"), ns("2026-11-23T10:00"))
    assert [
        ("2026-11-20T08:00", ()),
        ("2026-11-20T09:00", ("ann",)),
        ("2026-11-20T17:00", ()),
        ("2026-11-21T00:00", ("bob",)),
        ("2026-11-23T00:00", ()),
        ("2026-11-23T09:00", ("ann",)),
    ] == [(local(shift.from_ns), shift.people) for shift in found]


def test_now_and_next_say_until_when() -> None:
    shown = now_and_next(schedule(WEEKLY), [], ns("2026-10-24T12:00"))

    assert (("ann",), "2026-10-26T09:00") == (shown.now.people, local(shown.now.until_ns))
    assert shown.next is not None
    assert (("bob",), "2026-11-02T09:00") == (shown.next.people, local(shown.next.until_ns))


def test_who_is_alone_is_followed_by_nobody() -> None:
    assert now_and_next(schedule({**WEEKLY, "people": ["ann"]}), [], ns("2026-10-24T12:00")).next is None


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"rotations": [{**WEEKLY, "people": ["ann", "zed"]}]}, "rotations.0.people"),
        ({"rotations": [WEEKLY, {**WEEKLY, "start": "monday"}]}, "rotations.1.start"),
        ({"rotations": [{**WEEKLY, "start": "2026-10-19T09:00+02:00"}]}, "rotations.0.start"),
        ({"rotations": [{**WEEKLY, "only": [{"weekdays": ["funday"]}]}]}, "rotations.0.only"),
    ],
)
def test_nonsense_is_refused_by_schedule_and_key(fields: dict[str, Any], key: str) -> None:
    config = msgspec.convert({"rotations": [WEEKLY], **fields}, ScheduleConfig)

    with pytest.raises(ScheduleRefused) as refused:
        checked_schedules({"ops": config}, PEOPLE)

    assert ("ops", key) == (refused.value.facts["schedule"], refused.value.facts["key"])
    assert refused.value.message.startswith(f"schedule ops: {key}: ")
