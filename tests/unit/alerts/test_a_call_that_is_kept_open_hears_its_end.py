"""Calls by a channel that keeps them open: repeats go on with the same thread, and its end is told once it is over."""

from __future__ import annotations

from typing import Any

from tests.unit.alerts.calls_bench import Duty
from trading_orchestrator.perpetual_operations.alerts.thread import Thread

BY_HOST = {"receiver": "r", "group_by": ["alertname", "host"], "group_wait": 0, "group_interval": 10}
FOR_EVER: dict[str, Any] = {"steps": [{"delay_s": 300, "targets": ["ann"]}], "repeat": -1}


def duty(**config: Any) -> Duty:
    return Duty(kept_open=["push"], **config)


def threads(one: Duty) -> list[tuple[str, str, list[Thread]]]:
    """Return status, receiver and threads of what is on its way."""
    messages = [outgoing.message for outgoing in one.calls.outbox.values()]
    return [(each.status, each.receiver, list(each.threads)) for each in messages]


def own(host: str = "") -> Thread:
    return Thread("r", f'{{}}:{{alertname="Down"{f", host={chr(34)}{host}{chr(34)}" if host else ""}}}')


def test_every_repetition_is_of_the_thread_of_its_group() -> None:
    one = duty(ladder=FOR_EVER)
    one.fires("a")
    found = []
    for second in (1, 301, 601):
        one.passes(second)
        found += threads(one)
        one.listens()

    assert [("firing", "ann/push", [own()])] * 3 == found


def test_the_end_is_told_to_each_that_was_called() -> None:
    one = duty()
    one.fires("a")
    one.passes(301)
    one.listens()
    one.ends("a")

    assert [("resolved", "ann/push", [own()]), ("resolved", "bob/push", [own()])] == threads(one)
    one.listens()
    one.passes(1000)
    assert {} == one.calls.outbox
    assert ({}, {}) == (one.calls.ends.called, one.calls.ends.owed)


def test_an_end_does_not_overtake_its_call() -> None:
    one = duty()
    one.fires("a")
    one.passes(1)
    one.out.update(one.calls.outbox)
    one.ends("a")
    assert ["firing"] == [status for status, _, _ in threads(one)]

    one.listens()
    assert ["resolved"] == [status for status, _, _ in threads(one)]


def test_one_call_about_several_groups_has_an_end_for_each() -> None:
    one = duty(route=BY_HOST)
    one.fires("a", "b")
    one.passes(1)
    assert [("firing", "ann/push", [own("a"), own("b")])] == threads(one)

    one.listens()
    one.ends("a")
    assert [("resolved", "ann/push", [own("a")])] == threads(one)
    one.listens()
    one.ends("b")
    assert [("resolved", "ann/push", [own("b")])] == threads(one)


def test_what_fires_again_is_not_ended_by_an_end_that_comes_late() -> None:
    one = duty()
    one.fires("a")
    one.passes(1)
    one.listens()
    one.ends("a")
    one.does_not_listen()
    one.passes(20)
    one.fires("a")
    one.passes(40)

    assert [("firing", "ann/push", [own()])] == threads(one)
    assert "it fires again" in one.dropped()


def test_a_death_in_between_loses_no_end() -> None:
    one = duty()
    one.fires("a")
    one.passes(1)
    one.listens()
    one.dies()
    one.ends("a")
    one.dies()

    assert [("resolved", "ann/push", [own()])] == threads(one)


def test_other_channels_hear_of_no_end() -> None:
    one = Duty()
    one.fires("a")
    one.passes(1)
    one.listens()
    one.ends("a")

    assert {} == one.calls.outbox
