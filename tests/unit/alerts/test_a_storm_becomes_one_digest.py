"""When a receiver would get too many messages at once, it gets one; what is critical speaks for itself at once."""

from __future__ import annotations

from tests.unit.alerts.engine_bench import Event, ends, fires, timeline, told

STORM = {"messages": 3, "within": 30, "every": 20, "gather": 0}


def storm(hosts: int, at: float = 0, **labels: str) -> list[Event]:
    return [fires(at, host=f"h{number:05}", **labels) for number in range(hosts)]


def test_few_messages_are_told_one_by_one() -> None:
    assert [1] * 3 == [len(what) for _, _, what in told(storm(3), storm=STORM)]


def test_many_at_once_are_one_digest_of_all() -> None:
    assert [(1.0, "firing", 50)] == [(at, status, len(what)) for at, status, what in told(storm(50), storm=STORM)]


def test_what_begins_together_is_told_together() -> None:
    growing = [event for tenth in range(18) for event in storm(5, at=tenth / 10, batch=str(tenth))]

    messages = told(growing, storm={**STORM, "gather": 3}, horizon=60)

    assert [(4.0, 90)] == [(at, len(what)) for at, _, what in messages]


def test_a_storm_that_goes_on_need_not_grow_again() -> None:
    events = [event for second in range(70) for event in storm(5, at=float(second), batch=str(second))]

    messages = told(events, storm={**STORM, "gather": 3}, horizon=80)

    assert [4.0, 24.0, 44.0, 64.0] == [at for at, _, _ in messages]


def test_critical_alerts_do_not_wait_for_the_digest() -> None:
    events = [*storm(50), *[fires(0.5, host=f"c{n}", severity="critical") for n in range(5)]]

    messages = told(events, storm=STORM)

    assert [50, 1, 1, 1, 1, 1] == [len(what) for _, _, what in messages]
    assert [1.0, 1.5, 1.5, 1.5, 1.5, 1.5] == [at for at, _, _ in messages]


def test_while_it_goes_on_digests_keep_their_distance_and_lose_nothing() -> None:
    events = [event for n in range(10) for event in storm(5, at=float(n), batch=str(n))]

    messages = told(events, storm=STORM, horizon=60)

    assert [1.0, 21.0] == [at for at, _, _ in messages]
    assert [5, 50] == [len(what) for _, _, what in messages]


def test_after_the_storm_messages_come_one_by_one_again() -> None:
    messages = told([*storm(5), fires(60, host="late")], storm=STORM)

    assert [(1.0, 5), (61.0, 1)] == [(at, len(what)) for at, _, what in messages]


def test_the_ends_of_a_storm_are_a_digest_too() -> None:
    events = [*storm(5), *[ends(50, host=f"h{number:05}") for number in range(5)]]

    messages = told(events, storm=STORM)

    assert [("firing", 5), ("resolved", 5)] == [(status, len(what)) for _, status, what in messages]


def test_a_digest_names_all_that_fires_for_whoever_escalates_it() -> None:
    line = timeline(
        [{"t": 0, "op": "receiver_script", "receiver": "r", "answers": [503] * 99}, *storm(150)], storm=STORM
    )
    line.play()

    (outgoing,) = line.engine.state.outbox.values()
    assert set(line.engine.state.alerts) == set(outgoing.message.firing)
    assert (150, 100, 50) == (outgoing.message.digest_of, len(outgoing.message.alerts), outgoing.message.unlisted)


def test_a_digest_that_fails_is_tried_again_as_it_was() -> None:
    line = timeline([{"t": 0, "op": "receiver_script", "receiver": "r", "answers": [503, 503]}, *storm(5)], storm=STORM)

    sent = line.play()

    assert [503, 503, 200] == [one["receiver_answered"] for one in sent]
    assert 1 == len(set(line.keys))
    assert {5} == {len(one["alerts"]) for one in sent}


def test_a_refused_digest_is_no_news_and_comes_again() -> None:
    line = timeline([{"t": 0, "op": "receiver_script", "receiver": "r", "answers": [400]}, *storm(5)], storm=STORM)

    assert [(400, 5), (200, 5)] == [(one["receiver_answered"], len(one["alerts"])) for one in line.play()]


def test_a_crash_with_a_digest_on_its_way_loses_and_doubles_nothing() -> None:
    events = [
        {"t": 0, "op": "receiver_script", "receiver": "r", "answers": [503, 503, 503]},
        *storm(5),
        {"t": 2, "op": "restart", "how": "KILL"},
        *storm(5, at=3),
    ]
    line = timeline(events, storm=STORM)

    arrived = [one for one in line.play() if one["receiver_answered"] == 200]

    assert [5] == [len(one["alerts"]) for one in arrived]
    assert 1 == len(set(line.keys))
