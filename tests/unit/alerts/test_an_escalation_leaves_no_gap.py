"""Escalation: what people may do when, and rungs nobody stands on."""

from __future__ import annotations

import msgspec
import pytest

from trading_orchestrator.perpetual_operations.alerts.escalation import facts as f
from trading_orchestrator.perpetual_operations.alerts.escalation.escalator import Escalator
from trading_orchestrator.perpetual_operations.alerts.escalation.policy import (
    Contact,
    EscalationPolicy,
    EscalationRefused,
    Step,
    TargetRefused,
    check_targets,
)
from trading_orchestrator.perpetual_operations.alerts.escalation.schedule import (
    RotationConfig,
    ScheduleConfig,
    ScheduleRefused,
    checked_schedules,
)
from trading_orchestrator.perpetual_operations.alerts.escalation.snapshot import StateKept, state_of

MIN = 60_000_000_000
SMS = (Contact(channel="sms"),)


def ladder(*steps: Step, repeat: int = 0, **people: tuple[Contact, ...]) -> Escalator:
    people = people or {"bob": SMS, "jane": SMS}
    return Escalator(EscalationPolicy(steps=steps, repeat=repeat), people)


def called(bodies: object) -> list[str]:
    return [body.to for body in bodies if isinstance(body, f.ContactDue)]  # type: ignore[attr-defined]


OPS = checked_schedules(
    {
        "ops": ScheduleConfig(
            rotations=(RotationConfig(people=("jane", "bob"), start="1970-01-01T00:00", turns="daily"),)
        )
    },
    {"bob", "jane"},
)
BOB, JANE = Step(delay_s=300, targets=("bob",)), Step(delay_s=300, targets=("jane",))


def test_an_acknowledgement_stops_the_ladder_and_asking_on_starts_it_again() -> None:
    one = ladder(BOB, JANE)
    one.open("a", 0)
    assert ["bob"] == called(one.advance(0))

    one.acknowledge("a", "bob", MIN)
    assert [] == called(one.advance(60 * MIN))

    one.escalate("a", "bob", 61 * MIN)
    assert ["jane"] == called(one.advance(61 * MIN))


def test_at_the_end_of_the_ladder_it_rests_until_somebody_asks() -> None:
    one = ladder(BOB)
    one.open("a", 0)
    one.advance(0)

    ended = one.advance(5 * MIN)

    assert [f.Ended(escalation_id="a", at_ns=5 * MIN)] == ended
    assert one.next_due_ns() is None
    one.escalate("a", "jane", 9 * MIN)
    assert ["bob"] == called(one.advance(9 * MIN))


def test_what_is_not_open_cannot_be_acknowledged_and_nothing_twice() -> None:
    one = ladder(BOB)
    with pytest.raises(EscalationRefused, match="not open"):
        one.acknowledge("a", "bob", 0)
    one.open("a", 0)
    one.acknowledge("a", "bob", 0)
    with pytest.raises(EscalationRefused, match="already"):
        one.acknowledge("a", "jane", 0)


def test_in_maintenance_nobody_can_ask_on() -> None:
    one = ladder(BOB)
    one.open("a", 0)
    one.pause(MIN, 0)

    with pytest.raises(EscalationRefused, match="maintenance"):
        one.escalate("a", "bob", 0)
    assert MIN == one.next_due_ns()


def test_maintenance_says_whose_it_is_until_it_is_over_or_ended() -> None:
    one = ladder(BOB)
    one.pause(60 * MIN, 0, by="jane", reason="new disks")

    assert f.Paused(at_ns=0, until_ns=60 * MIN, by="jane", reason="new disks") == one.maintenance(59 * MIN)
    assert None is one.maintenance(60 * MIN)
    one.pause(MIN, MIN, by="jane")
    assert None is one.maintenance(MIN)


def test_maintenance_holds_rungs_but_not_the_contacts_of_people_called_before() -> None:
    one = ladder(BOB, JANE, bob=(*SMS, Contact(channel="voice", delay_s=600)), jane=SMS)
    one.open("a", 0)
    one.advance(0)
    one.pause(60 * MIN, MIN)

    assert 10 * MIN == one.next_due_ns()
    assert ["bob"] == called(one.advance(10 * MIN))
    assert ["jane"] == called(one.advance(60 * MIN))


def test_a_ladder_on_which_nobody_stands_is_climbed_once_and_says_so() -> None:
    one = ladder(Step(delay_s=300), Step(delay_s=300, targets=("ghost",)), repeat=-1)
    one.open("a", 0)

    steps = [body for body in one.advance(0) if isinstance(body, f.Stepped)]

    assert [(), ()] == [body.people for body in steps]
    assert 5 * MIN == one.next_due_ns()


def test_on_a_multi_ack_rung_each_person_quiets_one() -> None:
    later = (*SMS, Contact(channel="sms", delay_s=60))
    one = ladder(Step(delay_s=600, targets=("bob", "jane"), multi_ack=True), bob=later, jane=later)
    one.open("a", 0)
    one.advance(0)

    one.acknowledge("a", "bob", 1)
    assert ["jane"] == called(one.advance(MIN))
    one.acknowledge("a", "jane", MIN + 1)
    with pytest.raises(EscalationRefused, match="already"):
        one.acknowledge("a", "bob", MIN + 2)


def test_what_is_muted_calls_nobody_and_begins_anew_unless_somebody_has_it() -> None:
    one = ladder(BOB, JANE)
    one.open("a", 0)
    one.open("b", 0)
    one.advance(0)
    one.acknowledge("b", "bob", MIN)
    for name in ("a", "b"):
        one.mute(name, MIN)
    assert None is one.next_due_ns()

    for name in ("a", "b"):
        one.unmute(name, 60 * MIN)

    contacts = [body for body in one.advance(60 * MIN) if isinstance(body, f.ContactDue)]
    assert [("bob", ("a",))] == [(body.to, body.escalations) for body in contacts]
    one.mute("a", 61 * MIN)
    with pytest.raises(EscalationRefused, match="kept quiet"):
        one.escalate("a", "bob", 61 * MIN)


def test_only_what_nobody_climbs_for_is_opened_again() -> None:
    one = ladder(BOB, JANE)
    one.open("a", 0)
    one.advance(0)
    assert [] == one.reopen("a", MIN)
    assert [] == one.reopen("b", MIN)
    one.acknowledge("a", "bob", MIN)

    one.reopen("a", 2 * MIN)

    assert ["bob"] == called(one.advance(2 * MIN))
    assert ["jane"] == called(one.advance(7 * MIN))


def test_an_acknowledgement_that_times_out_calls_its_rung_again_and_then_climbs_on() -> None:
    one = ladder(BOB, JANE)
    one.open("a", 0)
    one.advance(0)
    assert ["jane"] == called(one.advance(5 * MIN))
    one.acknowledge("a", "jane", 6 * MIN, "looking", timeout_s=1800)

    assert [] == called(one.advance(36 * MIN - 1))
    assert 36 * MIN == one.next_due_ns()
    assert ["jane"] == called(one.advance(36 * MIN))
    assert [f.Ended(escalation_id="a", at_ns=41 * MIN)] == one.advance(41 * MIN)


def test_the_ladder_says_how_long_an_acknowledgement_holds() -> None:
    policy = EscalationPolicy(steps=(BOB, JANE), acknowledge_timeout_s=600)
    one = Escalator(policy, {"bob": SMS, "jane": SMS})
    one.open("a", 0)
    one.advance(0)
    one.acknowledge("a", "bob", MIN)

    assert ["bob"] == called(one.advance(11 * MIN))
    assert ["jane"] == called(one.advance(16 * MIN))


def test_a_snooze_is_quiet_for_everybody_and_then_begins_anew() -> None:
    one = ladder(BOB, JANE, bob=(*SMS, Contact(channel="voice", delay_s=600)), jane=SMS)
    one.open("a", 0)
    one.advance(0)
    one.advance(5 * MIN)
    one.snooze("a", "jane", 60 * MIN, 6 * MIN, "waits for the vendor")

    assert 60 * MIN == one.next_due_ns()
    assert [] == one.advance(59 * MIN)
    assert ["bob"] == called(one.advance(60 * MIN))
    assert ["jane"] == called(one.advance(65 * MIN))


def test_who_snoozed_may_acknowledge_close_or_ask_on_before_its_end() -> None:
    for deed, expected in (("acknowledge", []), ("escalate", ["jane"]), ("close", [])):
        one = ladder(BOB, JANE)
        one.open("a", 0)
        one.advance(0)
        one.snooze("a", "bob", 60 * MIN, MIN)
        getattr(one, deed)("a", "bob", 2 * MIN)
        assert expected == called(one.advance(2 * MIN)), deed
        assert [] == called(one.advance(3 * MIN)), deed


def test_a_snooze_into_the_past_is_refused() -> None:
    one = ladder(BOB)
    one.open("a", 0)

    with pytest.raises(EscalationRefused, match="after now"):
        one.snooze("a", "bob", MIN, MIN)


def test_a_rung_calls_users_whoever_is_on_call_and_rooms_each_once() -> None:
    rung = Step(delay_s=300, targets=("user:bob", "schedule:ops", "channel:room", "jane"))
    one = Escalator(EscalationPolicy(steps=(rung,)), {"bob": SMS, "jane": SMS}, schedules=OPS)
    one.open("a", 0)

    contacts = [(body.to, body.channel) for body in one.advance(0) if isinstance(body, f.ContactDue)]

    assert [("bob", "sms"), ("jane", "sms"), ("channel:room", "room")] == contacts


def test_who_is_on_call_when_the_rung_is_reached_is_called() -> None:
    rung = Step(delay_s=86_400, targets=("schedule:ops",))
    one = Escalator(EscalationPolicy(steps=(rung,), repeat=1), {"bob": SMS, "jane": SMS}, schedules=OPS)
    one.open("a", 0)

    assert ["jane"] == called(one.advance(0))
    assert ["bob"] == called(one.advance(24 * 60 * MIN))


def test_a_rung_with_nobody_on_call_is_skipped_at_once_and_said() -> None:
    one = Escalator(
        EscalationPolicy(steps=(Step(delay_s=300, targets=("schedule:nights", "schedule:gone")), BOB)),
        {"bob": SMS, "jane": SMS},
        schedules=checked_schedules(
            {"nights": ScheduleConfig(rotations=(RotationConfig(people=("jane",), start="1970-01-02T00:00"),))},
            {"jane"},
        ),
    )
    one.open("a", 0)

    decided = one.advance(0)

    skipped = [body.nobody for body in decided if isinstance(body, f.Stepped)]
    assert [("schedule:nights", "schedule:gone"), ()] == skipped
    found = [(body.rung, body.target) for body in decided if isinstance(body, f.NobodyFound)]
    assert [(1, "schedule:nights"), (1, "schedule:gone")] == found
    assert {"schedule:nights": 0, "schedule:gone": 0} == one.state.open["a"].nobody
    assert ["bob"] == called(decided)


def test_each_escalation_climbs_its_own_ladder() -> None:
    one = Escalator(
        EscalationPolicy(steps=(BOB,)), {"bob": SMS, "jane": SMS}, policies={"jane": EscalationPolicy(steps=(JANE,))}
    )
    one.open("a", 0)
    one.open("b", 0, policy="jane")
    one.open("c", 0, policy="a policy that is gone")

    found = {body.to: body.escalations for body in one.advance(0) if isinstance(body, f.ContactDue)}

    assert {"bob": ("a", "c"), "jane": ("b",)} == found


def test_a_ladder_that_became_shorter_goes_on_from_its_last_rung() -> None:
    one = ladder(BOB, BOB, JANE, repeat=1)
    one.open("a", 0)
    for minute in (0, 5, 10):
        one.advance(minute * MIN)

    successor = Escalator(EscalationPolicy(steps=(BOB,), repeat=1), one.people, state=one.state)

    assert ["bob"] == called(successor.advance(15 * MIN))


def test_an_override_takes_the_place_of_one_adds_one_or_takes_one_off() -> None:
    one = Escalator(EscalationPolicy(steps=(BOB,)), {"bob": SMS, "jane": SMS, "kim": SMS}, schedules=OPS)

    def override(number: int, **fields: str) -> f.OverrideSet:
        whole = {"person": "", **fields}
        return f.OverrideSet(
            override_id=str(number), at_ns=0, schedule="ops", starts_at_ns=10 * MIN, ends_at_ns=20 * MIN,
            by="kim", reason="swap", **whole,
        )  # fmt: skip

    for fields, expected in (
        ({"person": "kim", "instead_of": "jane"}, ("kim",)),
        ({"person": "kim", "instead_of": "bob"}, ("jane",)),
        ({"person": "kim"}, ("jane", "kim")),
        ({"instead_of": "jane"}, ()),
    ):
        one.override(override(1, **fields))
        shown = [one.on_call("ops", minute * MIN).now.people for minute in (9, 10, 19, 20)]
        assert [("jane",), expected, expected, ("jane",)] == shown

    assert [f.OverrideEnded(override_id="1", at_ns=20 * MIN)] == one.advance(20 * MIN)
    assert {} == one.state.overrides


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"schedule": "opps"}, "no.*named 'opps'; known: \\['ops'\\]"),
        ({"person": "kym"}, "named 'kym'; known"),
        ({"person": ""}, "named ''"),
        ({"instead_of": "kym"}, "instead_of: nobody is named 'kym'; known"),
        ({"ends_at_ns": 400 * 86_400 * 10**9}, "within the next 366 days"),
        ({"ends_at_ns": 0}, "an end after"),
    ],
)
def test_an_override_that_makes_no_sense_is_refused(fields: dict[str, str], said: str) -> None:
    one = Escalator(EscalationPolicy(steps=(BOB,)), {"bob": SMS, "jane": SMS}, schedules=OPS)
    whole = {"override_id": "1", "at_ns": 0, "schedule": "ops", "starts_at_ns": 0, "ends_at_ns": MIN, "person": "bob"}

    with pytest.raises(ScheduleRefused, match=said):
        one.override(msgspec.convert({**whole, **fields}, f.OverrideSet))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("bib", "escalation page: steps.0.targets: nothing is named 'bib'; known: \\['bob'\\]"),
        ("schedule:opps", "known: \\['ops'\\]"),
        ("channel:x", "known: \\['room'\\]"),
        ("team:x", "expected one of"),
    ],
)
def test_a_ladder_that_names_what_is_not_there_is_refused(target: str, said: str) -> None:
    policies = {"page": EscalationPolicy(steps=(Step(delay_s=1, targets=("bob", target)),))}

    with pytest.raises(TargetRefused, match=said):
        check_targets(policies, people={"bob"}, schedules={"ops"}, channels={"room"})


def test_a_kept_state_reads_back_as_it_was() -> None:
    one = ladder(BOB, JANE)
    one.open("a", 0)
    one.advance(0)
    one.snooze("a", "bob", 60 * MIN, MIN)

    assert one.state == state_of(StateKept.kind, msgspec.json.encode(StateKept(state=one.state)))
