"""While a receiver is away: what happens meanwhile is told right after, at the right time, and nothing twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.conformance.alert_timeline_driver import Timeline

ROUTE = {"receiver": "r", "group_by": ["alertname"], "group_wait": 1, "group_interval": 2, "repeat_interval": 600}


def posted(t: float, host: str, **times: float) -> dict[str, Any]:
    return {"t": t, "op": "alerts", "alerts": [{"labels": {"alertname": "Down", "host": host}, **times}]}


def away(tries: int) -> dict[str, Any]:
    return {"t": 0, "op": "receiver_script", "receiver": "r", "answers": [503] * tries}


def arrived(events: Sequence[dict[str, Any]], horizon: float, **config: Any) -> list[tuple[float, str, str]]:
    """Return when the receiver got what: time, status of the message, hosts with their own status."""
    case = {
        "config": {"route": ROUTE, "receivers": {"r": {}}, "resolve_timeout": 300, **config},
        "events": events,
        "horizon": horizon,
    }
    return [
        (round(sent["t"], 3), sent["status"], " ".join(f"{a['labels']['host']}:{a['status']}" for a in sent["alerts"]))
        for sent in Timeline(case).play()
        if sent["receiver_answered"] == 200
    ]


def test_after_a_late_delivery_the_missed_tick_is_made_up_for_and_ticks_count_from_there() -> None:
    # tries at 1, 1.5, 2.25, 3.375: the tick at 3 was missed, so ticks are at 3.375, 5.375, …
    events = [away(3), posted(0, "a"), posted(2, "b"), posted(4, "c")]

    assert [
        (3.375, "firing", "a:firing"),
        (3.375, "firing", "a:firing b:firing"),
        (5.375, "firing", "a:firing b:firing c:firing"),
    ] == arrived(events, 9)


def test_an_unchanged_message_outlives_its_deadline_and_then_blocks_nothing() -> None:
    # the ninth try is at 25.6; two deadlines of 10 s have passed
    events = [away(8), posted(0, "a"), posted(26, "b")]

    assert [(25.629, "firing", "a:firing"), (27.629, "firing", "a:firing b:firing")] == arrived(events, 40)


def test_a_message_that_is_out_of_date_at_its_deadline_gives_way_to_the_truth() -> None:
    events = [away(6), posted(0, "a"), posted(5, "b")]

    found = arrived(events, 20)

    assert [(11.0, "firing", "a:firing b:firing")] == found


def test_an_end_on_its_way_through_a_restart_does_not_make_the_alert_fire_again() -> None:
    # it times out at 3, its end is on its way from 3 on; the restart at 4 gives sources time, not this alert
    events = [posted(0, "a"), {**away(3), "t": 2}, {"t": 4, "op": "restart", "how": "KILL"}]

    found = arrived(events, 60, resolve_timeout=3)

    assert [("firing", "a:firing"), ("resolved", "a:resolved")] == [one[1:] for one in found]


def test_an_alert_that_fires_again_while_its_end_is_on_its_way_is_told_again() -> None:
    events = [posted(0, "a"), posted(2, "a", ends_at=2), {**away(2), "t": 2}, posted(3.2, "a", starts_at=3.2)]

    assert ["firing", "resolved", "firing"] == [status for _, status, _ in arrived(events, 12)]


def test_where_ends_are_always_told_a_silence_does_not_swallow_one() -> None:
    silence = {"t": 2, "op": "silence", "id": "s", "matchers": ["host=a"], "starts_at": 2, "ends_at": 60}
    events = [posted(0, "a"), silence, posted(4, "a", ends_at=4)]

    assert ["firing"] == [status for _, status, _ in arrived(events, 9)]
    assert ["firing", "resolved"] == [status for _, status, _ in arrived(events, 9, end_always_told=True)]


def test_an_end_that_is_said_again_is_told_with_the_next_message_of_a_living_group_and_wakes_no_other() -> None:
    # b ended at 1; when its source says so again at 3, its group is about to speak of c
    again = [posted(0, "a"), posted(1, "b", ends_at=1), posted(3.2, "b", ends_at=3.2), posted(4, "c")]

    assert "a:firing b:resolved c:firing" == arrived(again, 9)[-1][2]
    assert "b:resolved c:firing" == arrived([posted(0, "b", ends_at=0), *again[2:]], 9)[-1][2]
    alone = [posted(0, "b"), posted(2, "b", ends_at=2), posted(6, "b", ends_at=6)]
    assert ["firing", "resolved"] == [status for _, status, _ in arrived(alone, 30)]


def test_after_a_restart_a_group_waits_anew_however_many_of_its_alerts_are_seen_again() -> None:
    both = [posted(0, "a"), posted(0, "b"), {"t": 4, "op": "restart", "how": "KILL"}]
    again = [posted(5, "a"), posted(5, "b"), posted(5.5, "a"), posted(5.8, "c")]

    # seen again at 5, so due at 6 and not at once, though the engine knows that a and b are old; c comes in time
    assert [(1.0, "a:firing b:firing"), (6.0, "a:firing b:firing c:firing")] == [
        (at, what) for at, _, what in arrived([*both, *again], 9)
    ]
