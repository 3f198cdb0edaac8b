"""Calls and answers: who has it, snoozes it or silences it is left alone, and what nobody has calls people again."""

from __future__ import annotations

import msgspec
import pytest

from tests.unit.alerts.calls_bench import Duty, name_of
from trading_orchestrator.perpetual_operations.alerts.answering import NoLadder, NoSuchAlert, SpanRefused
from trading_orchestrator.perpetual_operations.alerts.escalation.policy import EscalationRefused


def test_a_call_that_found_no_way_out_is_dropped_when_somebody_takes_the_alert() -> None:
    duty = Duty()
    duty.fires("a")
    duty.does_not_listen()
    assert 1 == len(duty.calls.outbox)

    duty.acknowledges("a", by="bob")

    assert {} == duty.calls.outbox
    assert ["taken by bob"] == duty.dropped()
    duty.dies()
    assert [] == duty.calls.due_sends(10**18)


def test_a_snooze_drops_it_too_and_begins_anew_at_its_end() -> None:
    duty = Duty()
    duty.fires("a")
    duty.does_not_listen()
    duty.snoozes("a", for_s=1800, by="bob")
    duty.passes(1799)
    assert [(0, "ann", ["a"])] == duty.called()

    duty.dies()
    duty.passes(1800)

    assert ["snoozed by bob"] == duty.dropped()
    assert [(0, "ann", ["a"]), (1800, "ann", ["a"])] == duty.called()


def test_a_call_whose_bytes_may_be_out_is_dropped_only_when_it_failed() -> None:
    duty = Duty()
    duty.fires("a")
    (call,) = duty.calls.outbox
    duty.out.add(call)
    duty.acknowledges("a")
    assert [call] == list(duty.calls.outbox)

    duty.out.clear()
    duty.does_not_listen()

    assert {} == duty.calls.outbox
    assert ["taken by ann"] == duty.dropped()


def test_on_a_rung_of_several_only_the_call_of_who_acknowledged_is_dropped() -> None:
    duty = Duty(ladder={"steps": [{"delay_s": 300, "targets": ["ann", "bob"], "multi_ack": True}]})
    duty.fires("a")

    duty.acknowledges("a", by="ann")

    assert ["bob/push"] == [one.message.receiver for one in duty.calls.outbox.values()]


def test_a_call_about_what_is_over_is_dropped_even_before_its_first_try() -> None:
    duty = Duty()
    duty.fires("a")

    duty.ends("a")

    assert ["it is over"] == duty.dropped()
    assert {} == duty.calls.escalator.state.open


def test_a_new_alert_in_a_group_that_somebody_has_calls_people_from_the_first_rung() -> None:
    duty = Duty()
    duty.fires("a")
    duty.listens()
    duty.acknowledges("a")
    duty.passes(1000)
    assert [(0, "ann", ["a"])] == duty.called()

    duty.fires("b")
    duty.passes(1020)
    assert [(0, "ann", ["a"]), (1010, "ann", ["a", "b"])] == duty.called()

    duty.dies()
    duty.passes(1310)
    assert (1310, "bob", ["a", "b"]) == duty.called()[-1]


def test_a_call_names_first_what_nobody_has_and_of_that_the_newest() -> None:
    duty = Duty()
    duty.fires("c")
    duty.passes(100)
    duty.fires("b")
    duty.passes(200)
    duty.acknowledges("b")
    duty.fires("a")
    duty.passes(220)

    message = list(duty.calls.outbox.values())[-1].message
    assert ["a", "c", "b"] == [one.labels["host"] for one in message.alerts]


def test_so_does_one_that_came_back_after_its_end_was_told() -> None:
    duty = Duty()
    duty.fires("a", "b")
    duty.listens()
    duty.acknowledges("a")
    duty.passes(5)
    duty.ends("b")
    duty.passes(40)
    assert 1 == len(duty.called())

    duty.fires("b")
    duty.passes(60)

    assert 2 == len(duty.called())


def test_and_one_that_joins_when_nobody_was_left_to_be_called() -> None:
    duty = Duty()
    duty.fires("a")
    duty.passes(1000)
    assert ["ann", "bob"] == [who for _, who, _ in duty.called()]

    duty.fires("b")
    duty.passes(1020)

    assert ["ann", "bob", "ann"] == [who for _, who, _ in duty.called()]


def test_one_that_joins_while_the_ladder_climbs_changes_nothing_but_what_is_said() -> None:
    duty = Duty()
    duty.fires("a")
    duty.passes(100)
    duty.fires("b")
    duty.passes(400)

    assert [(0, "ann", ["a"]), (300, "bob", ["a", "b"])] == duty.called()


def test_what_was_taken_before_anybody_was_called_needs_no_call() -> None:
    route = {"receiver": "r", "group_by": ["alertname"], "group_wait": 30, "group_interval": 10}
    duty = Duty(route=route)
    duty.fires("a")
    duty.passes(10)
    duty.acknowledges("a", for_s=600)

    duty.passes(609)
    assert [] == duty.called()

    duty.passes(610)
    assert [(610, "ann", ["a"])] == duty.called()


def test_an_acknowledgement_of_the_past_is_none_of_what_began_again() -> None:
    duty = Duty()
    duty.fires("a")
    duty.acknowledges("a")
    duty.passes(5)
    duty.ends("a")
    duty.passes(16)

    duty.fires("a")
    duty.passes(40)

    assert 2 == len(duty.called())
    assert duty.attention.of(name_of("a"), duty.now_ns) is None


def test_an_acknowledgement_for_a_while_is_over_after_it_for_the_board_and_for_the_ladder() -> None:
    duty = Duty()
    duty.fires("a")
    duty.listens()
    duty.acknowledges("a", by="bob", for_s=1800)
    taken = duty.attention.of(name_of("a"), duty.now_ns)
    assert taken is not None
    assert ("bob", 1800 * 10**9) == (taken.by, taken.until_ns)

    duty.passes(1799)
    duty.dies()
    assert duty.attention.of(name_of("a"), duty.now_ns) is not None
    duty.passes(1800)

    assert duty.attention.of(name_of("a"), duty.now_ns) is None
    assert [(0, "ann", ["a"]), (1800, "ann", ["a"])] == duty.called()


def test_where_the_ladder_limits_acknowledgements_the_board_shows_the_same_end() -> None:
    duty = Duty(ladder={"steps": [{"delay_s": 300, "targets": ["ann"]}], "acknowledge_timeout_s": 600})
    duty.fires("a")
    duty.acknowledges("a")

    taken = duty.attention.of(name_of("a"), duty.now_ns)

    assert taken is not None
    assert 600 * 10**9 == taken.until_ns


def test_acknowledging_again_moves_the_end_of_both() -> None:
    duty = Duty()
    duty.fires("a")
    duty.acknowledges("a", for_s=600)
    duty.passes(300)
    duty.acknowledges("a", for_s=600)

    duty.passes(899)
    assert 1 == len(duty.called())
    duty.passes(900)
    assert 2 == len(duty.called())


def test_who_escalates_calls_the_next_rung_and_nobody_has_it_any_more() -> None:
    duty = Duty()
    duty.fires("a")
    duty.acknowledges("a")
    duty.passes(60)

    duty.escalates("a")

    assert [(0, "ann", ["a"]), (60, "bob", ["a"])] == duty.called()
    assert duty.attention.of(name_of("a"), duty.now_ns) is None
    duty.dies()
    assert duty.attention.of(name_of("a"), duty.now_ns) is None


def test_a_snooze_ends_an_acknowledgement_and_is_shown_until_its_end() -> None:
    duty = Duty()
    duty.fires("a")
    duty.acknowledges("a")
    duty.snoozes("a", for_s=600, by="bob")

    assert duty.attention.of(name_of("a"), duty.now_ns) is None
    snoozed = duty.attention.snoozed(name_of("a"), duty.now_ns)
    assert snoozed is not None
    assert ("bob", 600 * 10**9) == (snoozed.by, snoozed.until_ns)
    duty.passes(600)
    assert duty.attention.snoozed(name_of("a"), duty.now_ns) is None


def test_what_does_not_fire_or_calls_nobody_is_answered_by_a_sentence() -> None:
    with pytest.raises(NoSuchAlert, match="alerts list"):
        Duty().snoozes("a", for_s=60)
    duty = Duty(has_ladder=False)
    duty.fires("a")
    with pytest.raises(NoLadder, match=r"nobody is called about Down now.*alerts silence"):
        duty.snoozes("a", for_s=60)
    with pytest.raises(NoLadder, match="nobody is called about Down now"):
        duty.escalates("a")


@pytest.mark.parametrize("for_s", [0.0, -5.0, 400 * 86_400.0])
def test_a_time_that_cannot_be_waited_changes_nothing(for_s: float) -> None:
    duty = Duty()
    duty.fires("a")
    before = list(duty.stored)

    with pytest.raises(SpanRefused, match="at most 366 days"):
        duty.snoozes("a", for_s=for_s)
    with pytest.raises(SpanRefused):
        duty.acknowledges("a", for_s=for_s)

    assert before == duty.stored


# -- kept quiet


def test_a_silence_stops_the_ladder_and_at_its_end_it_begins_anew() -> None:
    duty = Duty()
    duty.fires("a")
    duty.listens()
    duty.passes(60)
    duty.silences("host=a", until_s=3600)
    duty.passes(3595)
    duty.dies()
    assert [(0, "ann", ["a"])] == duty.called()

    duty.passes(3610)

    assert ["ann", "ann"] == [who for _, who, _ in duty.called()]
    assert 3600 < duty.called()[-1][0] <= 3605
    assert ["escalation.muted", "escalation.unmuted"] == [one for one in duty.kinds() if "muted" in one]


def test_a_silence_drops_the_call_in_retry() -> None:
    duty = Duty()
    duty.fires("a")
    duty.does_not_listen()
    duty.silences("host=a", until_s=3600)

    duty.passes(2)

    assert ["it is kept quiet"] == duty.dropped()
    assert {} == duty.calls.outbox


def test_while_one_alert_of_the_group_may_be_heard_people_are_called_about_it_alone() -> None:
    duty = Duty()
    duty.fires("a", "b")
    duty.listens()
    duty.silences("host=a", until_s=3600)
    duty.passes(300)

    assert [(0, "ann", ["a", "b"]), (300, "bob", ["b"])] == duty.called()
    message = next(iter(duty.calls.outbox.values())).message
    assert [name_of("b")] == [one.fingerprint for one in message.alerts]
    duty.dies()
    assert message == next(iter(duty.calls.outbox.values())).message


def test_what_a_firing_source_inhibits_rests_until_the_source_ends() -> None:
    rule = {"source_matchers": ["host=c"], "target_matchers": ["host=a"]}
    route = {"receiver": "r", "group_by": ["host"], "group_wait": 0, "group_interval": 10}
    duty = Duty(route=route, inhibit_rules=[rule])
    duty.fires("a")
    duty.listens()
    duty.passes(60)
    duty.fires("c")
    duty.passes(300)
    assert ["ann", "ann", "bob"] != [who for _, who, about in duty.called() if about == ["a"]]

    duty.ends("c")
    duty.passes(320)

    assert [(0, "ann", ["a"])] == [one for one in duty.called() if one[2] == ["a"]][:1]
    assert ["ann", "ann"] == [who for _, who, about in duty.called() if about == ["a"]]


def test_outside_the_times_of_its_route_nobody_is_called() -> None:
    night = [{"times": [{"start_time": "00:02", "end_time": "06:00"}]}]
    child = {"matchers": ["alertname=Down"], "mute_time_intervals": ["night"]}
    route = {"receiver": "r", "group_by": ["alertname"], "group_wait": 0, "group_interval": 10, "routes": [child]}
    duty = Duty(route=route, time_intervals={"night": night})
    duty.fires("a")
    duty.passes(6 * 3600 - 1)
    assert [(0, "ann", ["a"])] == duty.called()

    duty.passes(6 * 3600 + 10)

    assert ["ann", "ann"] == [who for _, who, _ in duty.called()]


def test_who_has_it_still_has_it_after_a_silence() -> None:
    duty = Duty(ladder={"steps": [{"delay_s": 300, "targets": ["ann", "bob"], "multi_ack": True}]})
    duty.fires("a")
    duty.acknowledges("a", by="ann")
    duty.silences("host=a", until_s=100)
    duty.passes(200)

    assert ["escalation.muted", "escalation.unmuted"] == [one for one in duty.kinds() if "muted" in one]
    assert duty.calls.escalator.state.open['r|0|{}:{alertname="Down"}'].is_acknowledged
    assert [(0, "ann", ["a"]), (0, "bob", ["a"])] == duty.called()


def test_what_is_kept_quiet_or_under_maintenance_cannot_be_escalated() -> None:
    duty = Duty()
    duty.fires("a")
    duty.silences("host=a", until_s=100)
    with pytest.raises(EscalationRefused, match="end that before you escalate"):
        duty.escalates("a")
    duty.silences("host=b", until_s=100)
    duty.passes(200)
    duty.turn(lambda engine, now_ns: duty.calls.escalator.pause(now_ns + 10**12, now_ns, by="bob", reason="move"))

    with pytest.raises(EscalationRefused, match=r"maintenance goes on \(by bob\)"):
        duty.escalates("a")


def test_a_ladder_whose_receiver_has_none_any_more_is_closed() -> None:
    duty = Duty()
    duty.fires("a")
    duty.receivers = {"r": type(duty.receivers["r"])()}
    duty.dies()

    duty.passes(1000)

    assert {} == duty.calls.escalator.state.open
    assert [(0, "ann", ["a"])] == duty.called()


def test_facts_of_an_older_release_read_as_they_did() -> None:
    """They name no alerts of a call, no end of an acknowledgement, and nobody who holds maintenance."""
    duty = Duty()
    duty.fires("a", "b")
    duty.acknowledges("a")
    newer = {"about", "more", "until_ns"}
    duty.stored = [
        (
            kind,
            msgspec.json.encode({key: value for key, value in msgspec.json.decode(body).items() if key not in newer}),
        )
        if kind in ("escalation.contact_due", "alert.acknowledged")
        else (kind, body)
        for kind, body in duty.stored
        if kind != "call.dropped"
    ]
    duty.stored.append(("escalation.paused", b'{"at_ns": 0, "until_ns": 60000000000}'))

    duty.dies()

    (call,) = duty.calls.outbox.values()
    assert (["a", "b"], 0) == ([one.labels["host"] for one in call.message.alerts], call.message.unlisted)
    assert duty.attention.of(name_of("a"), 10**18) is not None
    held = duty.calls.escalator.maintenance(0)
    assert ("", 60 * 10**9) == (held and held.by, held and held.until_ns)
