"""Whatever people, programs and crashes do: the facts make the same state, and an open escalation always moves on."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from trading_orchestrator.perpetual_operations.alerts.escalation import facts as f
from trading_orchestrator.perpetual_operations.alerts.escalation.escalator import Escalator
from trading_orchestrator.perpetual_operations.alerts.escalation.policy import (
    Contact,
    EscalationPolicy,
    EscalationRefused,
    Step,
)
from trading_orchestrator.perpetual_operations.alerts.escalation.schedule import (
    RotationConfig,
    ScheduleConfig,
    checked_schedules,
)
from trading_orchestrator.perpetual_operations.alerts.escalation.snapshot import StateKept, state_of
from trading_orchestrator.perpetual_operations.alerts.escalation.state import EscalationState, folded

MIN = 60_000_000_000
PEOPLE = {"bob": (Contact(channel="sms"), Contact(channel="voice", delay_s=240)), "jane": (Contact(channel="sms"),)}
HOURLY = RotationConfig(people=("jane", "bob"), start="1970-01-01T00:00", turns="hourly")
SCHEDULES = checked_schedules({"ops": ScheduleConfig(rotations=(HOURLY,))}, PEOPLE)
POLICIES = {
    "": EscalationPolicy(steps=(Step(delay_s=300, targets=("bob",)), Step(delay_s=300, targets=("ghost",))), repeat=1),
    "p": EscalationPolicy(
        steps=(Step(delay_s=120, targets=("schedule:ops", "channel:room")), Step(delay_s=600, targets=("bob", "jane"),
                                                                                 multi_ack=True)),
        repeat=-1,
        acknowledge_timeout_s=900,
    ),
}  # fmt: skip
Deed = Callable[[Escalator, int], object]
ids, people = st.sampled_from(["a", "b"]), st.sampled_from(["bob", "jane"])
minutes = st.sampled_from([1, 4, 15, 70])
deeds: st.SearchStrategy[Deed] = st.one_of(
    st.builds(lambda id_, policy: lambda one, now: one.open(id_, now, policy=policy), ids, st.sampled_from(["", "p"])),
    st.builds(lambda id_, by: lambda one, now: one.acknowledge(id_, by, now, "mine"), ids, people),
    st.builds(lambda id_, by: lambda one, now: one.acknowledge(id_, by, now, timeout_s=600), ids, people),
    st.builds(lambda id_, by, m: lambda one, now: one.snooze(id_, by, now + m * MIN, now), ids, people, minutes),
    st.builds(lambda id_, by: lambda one, now: one.escalate(id_, by, now), ids, people),
    st.builds(lambda id_: lambda one, now: one.close(id_, "system", now), ids),
    st.builds(lambda id_: lambda one, now: one.reopen(id_, now), ids),
    st.builds(lambda id_: lambda one, now: one.mute(id_, now), ids),
    st.builds(lambda id_: lambda one, now: one.unmute(id_, now), ids),
    st.builds(lambda m: lambda one, now: one.pause(now + m * MIN, now), minutes),
    st.builds(
        lambda m, who, off: lambda one, now: one.override(
            f.OverrideSet(override_id=who, at_ns=now, schedule="ops", starts_at_ns=now, ends_at_ns=now + m * MIN,
                          person=who, instead_of=off)
        ), minutes, people, st.sampled_from(["", "bob", "jane"])),
)  # fmt: skip


class World:
    """An escalator and what it stored."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.stored: list[tuple[str, bytes]] = []
        self.one = self.escalator(EscalationState())

    def escalator(self, state: EscalationState) -> Escalator:
        return Escalator(POLICIES[""], PEOPLE, state=state, policies=POLICIES, schedules=SCHEDULES)

    def keep(self, bodies: object) -> None:
        for body in bodies:  # type: ignore[attr-defined]
            self.stored.append((body.kind, msgspec.json.encode(body)))

    def do(self, deed: Deed) -> None:
        try:
            self.keep(deed(self.one, self.now_ns))
        except EscalationRefused:
            return

    def wait(self, minutes: int) -> None:
        until_ns = self.now_ns + minutes * MIN
        while (due_ns := self.one.next_due_ns()) is not None and due_ns <= until_ns:
            self.now_ns = max(self.now_ns, due_ns)
            self.keep(self.one.advance(self.now_ns))
            left_ns = self.one.next_due_ns()
            assert left_ns is None or left_ns > self.now_ns, "what is due is never done"
        self.now_ns = until_ns

    def refolded(self) -> EscalationState:
        bodies = [f.body_of(kind, body) for kind, body in self.stored]
        return folded(body for body in bodies if body is not None)

    def crash(self) -> None:
        self.one = self.escalator(self.refolded())

    def contacts(self) -> list[f.ContactDue]:
        bodies = [f.body_of(kind, body) for kind, body in self.stored]
        return [body for body in bodies if isinstance(body, f.ContactDue)]


@given(st.lists(st.tuples(deeds, st.sampled_from([0, 1, 3, 30])), max_size=20))
@settings(max_examples=200, deadline=None)
def test_the_facts_alone_make_the_state(done: list[tuple[Deed, int]]) -> None:
    world = World()

    for deed, wait in done:
        world.do(deed)
        world.wait(wait)
        assert world.one.state == world.refolded()
    kept = msgspec.json.encode(StateKept(state=world.one.state))
    assert world.one.state == state_of(StateKept.kind, kept)


@given(st.lists(st.tuples(deeds, st.sampled_from([0, 1, 3, 30])), max_size=20), st.sets(st.integers(0, 20)))
@settings(max_examples=150, deadline=None)
def test_a_crash_anywhere_calls_the_same_people_at_the_same_times(
    done: list[tuple[Deed, int]], places: set[int]
) -> None:
    plain, crashed = World(), World()

    for place, (deed, wait) in enumerate(done):
        for world in (plain, crashed):
            if world is crashed and place in places:
                world.crash()
            world.do(deed)
            world.wait(wait)

    assert plain.contacts() == crashed.contacts()


@given(st.lists(st.tuples(deeds, st.sampled_from([0, 1, 3, 30])), max_size=20))
@settings(max_examples=150, deadline=None)
def test_what_is_open_for_ever_is_never_forgotten(done: list[tuple[Deed, int]]) -> None:
    world = World()
    for deed, wait in done:
        world.do(deed)
        world.wait(wait)
    world.do(lambda one, now: one.pause(now, now))
    for name in list(world.one.state.open):
        world.do(lambda one, now, name=name: one.unmute(name, now))  # type: ignore[misc]  # bound at once
    lasting = [one.escalation_id for one in world.one.state.open.values() if one.policy == "p"]

    before = len(world.contacts())
    world.wait(3 * 60)

    called = {name for body in world.contacts()[before:] for name in body.escalations}
    assert set(lasting) <= called


@given(st.lists(st.tuples(deeds, st.sampled_from([0, 1, 3, 30])), max_size=20))
@settings(max_examples=100, deadline=None)
def test_nobody_is_called_about_what_is_muted(done: list[tuple[Deed, int]]) -> None:
    world = World()
    for deed, wait in done:
        world.do(deed)
        before = len(world.contacts())
        muted = {name for name, one in world.one.state.open.items() if one.is_muted}
        world.wait(wait)
        called = {name for body in world.contacts()[before:] for name in body.escalations}
        assert not muted & called
