"""Escalation: what people may do when, rungs nobody stands on, and monitors across a restart."""

from __future__ import annotations

import pytest

from trading_orchestrator.perpetual_operations.alerts.escalation import facts as f
from trading_orchestrator.perpetual_operations.alerts.escalation.escalator import Escalator
from trading_orchestrator.perpetual_operations.alerts.escalation.policy import (
    Contact,
    EscalationPolicy,
    EscalationRefused,
    Step,
)

MIN = 60_000_000_000
SMS = (Contact(channel="sms"),)


def ladder(*steps: Step, repeat: int = 0, **people: tuple[Contact, ...]) -> Escalator:
    people = people or {"bob": SMS, "jane": SMS}
    return Escalator(EscalationPolicy(steps=steps, repeat=repeat), people, heartbeats_s={"backup": 600})


def called(bodies: object) -> list[str]:
    return [body.to for body in bodies if isinstance(body, f.ContactDue)]  # type: ignore[attr-defined]


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


def test_a_successor_gives_every_monitor_its_whole_time_again() -> None:
    one = ladder(BOB)
    one.beat("backup", 0)

    successor = Escalator(one.policy, one.people, heartbeats_s={"backup": 600}, state=one.state)
    successor.start(9 * MIN)

    assert 19 * MIN == successor.next_due_ns()
    assert ["bob"] == called(successor.advance(19 * MIN))
    assert "backup" in successor.state.open
    successor.beat("backup", 20 * MIN)
    assert {} == successor.state.open


def test_an_unknown_monitor_is_refused() -> None:
    with pytest.raises(EscalationRefused, match="known: \\['backup'\\]"):
        ladder(BOB).beat("bckup", 0)
