"""The judge of the alert cases forgives what a case names, at the instants it names, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.conformance.alert_forgiveness import forgiven_calls, forgiven_checks, forgiven_messages

Case = Mapping[str, Any]


def message(t: float, status: str = "firing", host: str = "a", **more: Any) -> dict[str, Any]:
    alerts = [{"labels": {"host": host}, "status": status}]
    return {"t": t, "receiver": "r", "status": status, "group_labels": {}, "alerts": alerts, **more}


def expected(t: float, status: str = "firing") -> dict[str, Any]:
    return message(t, status, tolerance=0.3)


def timeline(**said: str) -> Case:
    return {"config": {"route": {"group_interval": 2, "group_wait": 1}}, "events": [{"t": 0}, {"t": 3.5}], **said}


RESOLVED = timeline(wanted_instead="one resolved notification at the next tick")


@pytest.mark.parametrize(
    ("sent", "is_forgiven"),
    [
        ([message(1), message(4.5, "resolved")], True),
        ([message(1), message(4.5, "firing")], False),  # the case speaks of resolved
        ([message(1), message(9.0, "resolved")], False),  # at no tick
        ([message(1.5), message(4.5, "resolved")], False),  # what is expected is late
        ([message(1), message(4.5, "resolved"), message(5, "resolved")], False),  # it speaks of one
        ([], False),
    ],
)
def test_what_is_wanted_instead_is_one_message_as_the_case_describes_it(
    sent: Sequence[Mapping[str, Any]], is_forgiven: bool
) -> None:
    assert is_forgiven is forgiven_messages(RESOLVED, [expected(1)], sent)


def test_one_less_is_forgiven_only_where_the_case_wants_it() -> None:
    both = [expected(1), expected(3)]

    assert forgiven_messages(timeline(wanted_instead="the second is not sent"), both, [message(1)])
    assert not forgiven_messages(RESOLVED, both, [message(1)])


def test_another_version_may_speak_at_the_instant_that_is_named_only() -> None:
    case = timeline(version_sensitive="as resolve-06: 0.34.0 would give 4.5+1=5.5")
    both = [expected(1), expected(5)]

    assert forgiven_messages(case, both, [message(1), message(5.5)])
    assert not forgiven_messages(case, both, [message(1), message(6.2)])
    assert not forgiven_messages(case, both, [message(5.5), message(5.5)])
    assert not forgiven_messages(case, both, [message(1), message(5.5), message(7)])


@pytest.mark.parametrize("said", ["wanted_instead", "version_sensitive"])
def test_where_nothing_is_expected_nothing_is_forgiven(said: str) -> None:
    text = "one resolved at t=4.5"

    assert not forgiven_messages(timeline(**{said: text}), [], [message(4.5, "resolved")])
    assert not forgiven_checks({"checks": [{"t": 4.5, "alerts": []}], said: text}, [0], [[{"a": 1}]])
    assert not forgiven_calls({"config": {}, said: text}, [], [])


def test_a_rule_may_differ_at_the_instant_that_is_named() -> None:
    checks = [{"t": t, "alerts": [{"state": "firing"}]} for t in (0, 240, 300)] + [{"t": 360, "alerts": []}]
    case = {"version_sensitive": "Treat t=300 as ambiguous.", "checks": checks}

    assert [False, False, True, False] == [forgiven_checks(case, [number], [[]] * 4) for number in range(4)]
    assert not forgiven_checks(case, [2, 3], [[]] * 4)


def test_an_edge_may_move_by_one_step_and_no_further() -> None:
    firing = [{"state": "firing"}]
    checks = [{"t": t, "alerts": firing if t > 1 else []} for t in range(4)]
    case = {"version_sensitive": "Edge instants may move by one step.", "checks": checks}

    assert forgiven_checks(case, [1], [[], firing, firing, firing])
    assert forgiven_checks(case, [2], [[], [], [], firing])
    assert not forgiven_checks(case, [0], [firing, [], firing, firing])
    assert not forgiven_checks(case, [3], [[], [], firing, []])
    assert not forgiven_checks(case, [2], [[], [], [{"state": "pending"}], firing])


def call(t_min: float, to: str = "bob", **more: Any) -> dict[str, Any]:
    return {"t_min": t_min, "to": to, "channel": "sms", **more}


def test_calls_may_come_sooner_by_the_rungs_on_which_nobody_stands() -> None:
    steps = [{"delay_min": 5, "targets": ["ghost"]}, {"delay_min": 7, "targets": ["bob"]}]
    case = {"config": {"policy": {"steps": steps}, "users": {"bob": [{}]}}, "wanted_instead": "skip at once"}
    named = {**case, "wanted_instead": "skipped: bob at minute 5 is called at minute 0"}

    assert forgiven_calls(case, [call(5, alert="a")], [call(0, alerts=["a"])])
    assert forgiven_calls(named, [call(5)], [call(0, alerts=["a"])])
    assert not forgiven_calls(named, [call(25)], [call(15, alerts=["a"])])
    assert not forgiven_calls(case, [call(5)], [call(1, alerts=["a"])])
    assert not forgiven_calls(case, [call(5)], [call(0, "jane", alerts=["a"])])
    assert not forgiven_calls(case, [call(5, alert="a")], [call(0, alerts=["b"])])
    assert not forgiven_calls(case, [call(5)], [])
