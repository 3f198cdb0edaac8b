"""Silences: somebody answers for each; they end with what they cover, or unused, and act in their windows only."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.conformance.alert_timeline_driver import START_NS
from tests.unit.alerts.engine_bench import ROUTE, Event, ends, fires, timeline, told
from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.alertmanager_words import silence_words
from trading_orchestrator.perpetual_operations.alerts.silence import ENDLESS_NS, Silence, checked

S = 1_000_000_000


def silence(t: float, until: float, **fields: Any) -> Event:
    return {"t": t, "op": "silence", "id": "s", "matchers": ["alertname=Down"], "ends_at": until, **fields}


def statuses(events: list[Event], **config: Any) -> list[tuple[float, str]]:
    return [(at, status) for at, status, _ in told(events, **config)]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"created_by": ""}, "created_by: who asks for it"),
        ({"comment": " "}, "comment: why"),
        ({"unused_for_s": 0.0}, "unused_for_s"),
        ({"unused_for_s": float("inf")}, "unused_for_s"),
        ({"times": [{"weekdays": ["funday"]}]}, "funday"),
        ({"ends_at_ns": ENDLESS_NS}, "expected an end: for how long"),
    ],
)
def test_what_nobody_answers_for_or_cannot_be_read_is_refused(fields: dict[str, Any], said: str) -> None:
    whole = {"silence_id": "s", "matchers": ["a=b"], "starts_at_ns": 0, "ends_at_ns": S, "created_by": "bob",
             "comment": "works on it", **fields}  # fmt: skip
    with pytest.raises(Refused, match=said):
        checked(msgspec.convert(whole, Silence), 0)


def test_until_resolved_it_covers_the_firing_and_gives_the_end_of_it_free() -> None:
    events = [fires(0), silence(2, 900, until_resolved=True), ends(10), fires(20)]

    assert [(1.0, "firing"), (11.0, "resolved"), (21.0, "firing")] == statuses(events)


def test_until_resolved_it_lasts_as_long_as_anything_it_covers_fires() -> None:
    events = [fires(0, host="a"), fires(0, host="b"), silence(2, 900, until_resolved=True), ends(10, host="a"),
              fires(20, host="a"), ends(30, host="a"), ends(40, host="b")]  # fmt: skip
    line = timeline(events)
    line.play()

    assert START_NS + 40 * S - 1 == line.engine.state.silences["s"].ends_at_ns


def test_until_resolved_it_ends_soon_after_the_last_alert_times_out() -> None:
    line = timeline([fires(0), silence(2, 900, until_resolved=True)], resolve_timeout=50)
    line.play()

    set_by = [msgspec.json.decode(body, type=f.SilenceSet) for kind, body in line.stored if kind == f.SilenceSet.kind]
    assert ["", "nothing it covers fires any more"] == [body.why for body in set_by]
    assert START_NS + 50 * S < set_by[-1].at_ns <= START_NS + 80 * S


def test_until_resolved_needs_something_that_fires() -> None:
    line = timeline([])

    with pytest.raises(Refused, match="nothing that it covers fires"):
        line.engine.set_silence(
            Silence(
                silence_id="s", matchers=("a=b",), starts_at_ns=START_NS, ends_at_ns=START_NS + S,
                created_by="bob", comment="x", until_resolved=True,
            ),
            START_NS,
        )  # fmt: skip


def test_a_silence_that_covers_nothing_for_long_enough_is_over() -> None:
    events = [silence(0, 5_000, unused_for=100), fires(10), ends(50), fires(120), ends(121), fires(400)]

    # a look every 30 s: it was used at 30 and is over at 150, though not by what came and went between two looks
    assert [(401.0, "firing")] == statuses(events, horizon=500)


def test_a_silence_that_is_used_goes_on() -> None:
    assert [] == statuses([silence(0, 5_000, unused_for=100), fires(10)], horizon=500)


def test_without_a_time_it_lasts_until_what_it_covers_is_resolved() -> None:
    day_s = 86_400
    endless = (ENDLESS_NS - START_NS) / S
    events = [fires(0), silence(2, endless, until_resolved=True), ends(3 * day_s), fires(3 * day_s + 10)]
    route = {**ROUTE, "group_interval": 60, "repeat_interval": 3600}

    messages = statuses(events, horizon=3 * day_s + 100, resolve_timeout=10 * day_s, route=route)

    assert (1.0, "firing") == messages[0]
    assert ["resolved", "firing"] == [status for at, status in messages[1:] if at > 3 * day_s]
    assert 3 == len(messages)


@pytest.mark.parametrize("restarts", [[], [50, 100, 150]])
def test_when_it_was_used_last_survives_restarts(restarts: list[int]) -> None:
    events = [silence(0, 50_000, unused_for=2_000), fires(10), ends(60)]
    events += [{"t": second * 10, "op": "restart", "how": "KILL"} for second in restarts]
    line = timeline(events, horizon=3_000)
    line.play()

    over = line.engine.state.silences["s"].ends_at_ns
    assert 1_950 <= (over - START_NS) / S <= 2_100


def test_right_after_a_start_it_is_not_held_for_unused() -> None:
    events = [silence(0, 50_000, unused_for=2_000), fires(10), ends(60),
              {"t": 2_000, "op": "restart", "how": "KILL"}, fires(2_100)]  # fmt: skip

    assert [] == [at for at, status in statuses(events, horizon=2_400) if at > 2_000]


def test_with_recurring_windows_it_acts_within_them_only() -> None:
    # the case begins at 12:00 UTC
    window = [{"times": [{"start_time": "12:00", "end_time": "12:01"}]}]
    day_s = 86_400
    events = [silence(0, 90_000, times=window), fires(5), fires(day_s + 5, host="b"), fires(day_s + 70, host="c")]
    route = {**ROUTE, "group_interval": 30, "repeat_interval": 10 * day_s}

    messages = told(events, horizon=day_s + 100, resolve_timeout=200_000, route=route)

    # a and b speak at the first tick after 12:01 of their day; c after its own wait
    assert [66.0, day_s + 66.0, day_s + 71.0] == [at for at, _, _ in messages]


def test_one_that_ends_after_all_calendars_can_be_shown() -> None:
    far = Silence(
        silence_id="s", matchers=("a=b",), starts_at_ns=START_NS, ends_at_ns=START_NS + 4_000_000 * 86_400 * S
    )

    assert "9999-12-31T23:59:59.999Z" == silence_words(far, START_NS)["endsAt"]
