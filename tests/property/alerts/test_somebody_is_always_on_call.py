"""A rotation without windows never leaves a gap and never gives a turn back, in any zone, at any time of the year."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_orchestrator.perpetual_operations.alerts.escalation.facts import OverrideSet
from trading_orchestrator.perpetual_operations.alerts.escalation.on_call import on_call, shifts
from trading_orchestrator.perpetual_operations.alerts.escalation.schedule import ScheduleConfig, checked_schedules

S = 1_000_000_000
DAY_NS = 86_400 * S
BEGIN_NS = 1_767_225_600 * S  # 2026-01-01
PEOPLE = ("ann", "bob", "cid")
zones = st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu"])
starts = st.datetimes(datetime(2025, 1, 1), datetime(2025, 12, 31)).map(lambda at: at.isoformat(timespec="minutes"))  # noqa: DTZ001
turns = st.tuples(st.sampled_from(["daily", "weekly", "hourly"]), st.integers(1, 5))
instants = st.integers(BEGIN_NS, BEGIN_NS + 800 * DAY_NS).map(lambda at_ns: at_ns - at_ns % S)
WINDOWS = [
    {"times": [{"start_time": "01:30", "end_time": "02:30"}]},
    {"weekdays": ["saturday", "sunday"]},
    {"days_of_month": ["-1"], "times": [{"start_time": "22:00", "end_time": "24:00"}]},
]


def rotation(people: tuple[str, ...], start: str, turn: tuple[str, int], windows: list[int]) -> dict[str, object]:
    only = [WINDOWS[number] for number in windows]
    return {"people": people, "start": start, "turns": turn[0], "every": turn[1], "only": only}


@given(zones, starts, turns, st.lists(instants, min_size=2, max_size=20))
@settings(max_examples=200, deadline=None)
def test_turns_only_go_forward_and_somebody_has_each(
    zone: str, start: str, turn: tuple[str, int], at: list[int]
) -> None:
    config = msgspec.convert({"time_zone": zone, "rotations": [rotation(PEOPLE, start, turn, [])]}, ScheduleConfig)
    ops = checked_schedules({"ops": config}, PEOPLE)["ops"]
    (turning,) = ops.rotations
    moments = sorted({near for at_ns in at for near in (at_ns, at_ns + 1800 * S, at_ns + 3600 * S)})

    numbers = [turning.turn(at_ns) for at_ns in moments]

    assert sorted(numbers) == numbers
    assert [1] * len(moments) == [len(ops.on_call(at_ns)) for at_ns in moments]
    for at_ns, number in zip(moments, numbers, strict=True):
        assert turning.begins_ns(number) <= at_ns < turning.begins_ns(number + 1)


@given(
    zones,
    starts,
    turns,
    st.lists(st.integers(0, 2), max_size=2),
    instants,
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(1, 20), st.sampled_from(PEOPLE), st.sampled_from(["", *PEOPLE])),
        max_size=3,
    ),
    st.lists(st.floats(0, 1), min_size=1, max_size=30),
)
@settings(max_examples=150, deadline=None)
def test_the_list_of_shifts_says_what_every_instant_says(
    zone: str,
    start: str,
    turn: tuple[str, int],
    windows: list[int],
    from_ns: int,
    swaps: list[tuple[int, int, str, str]],
    places: list[float],
) -> None:
    rotations = [rotation(PEOPLE, start, turn, windows), rotation(("bob",), start, ("daily", 1), [1])]
    config = msgspec.convert({"time_zone": zone, "rotations": rotations}, ScheduleConfig)
    ops = checked_schedules({"ops": config}, PEOPLE)["ops"]
    overrides = [
        OverrideSet(
            override_id=str(number), at_ns=0, schedule="ops", starts_at_ns=from_ns + begin * 3600 * S,
            ends_at_ns=from_ns + (begin + length) * 3600 * S, person=person, instead_of=instead_of,
        )
        for number, (begin, length, person, instead_of) in enumerate(swaps)
    ]  # fmt: skip
    until_ns = from_ns + 9 * DAY_NS

    found = shifts(ops, overrides, from_ns, until_ns)

    assert (from_ns, until_ns) == (found[0].from_ns, found[-1].until_ns)
    assert all(one.until_ns == other.from_ns and one.people != other.people for one, other in pairwise(found))
    for place in places:
        at_ns = from_ns + round(place * (until_ns - from_ns - S)) // S * S
        (shift,) = [one for one in found if one.from_ns <= at_ns < one.until_ns]
        assert shift.people == on_call(ops, overrides, at_ns)
