"""The fault script: a fault acts on the calls it names, as often as it says, and then no more."""

import pytest

from trading_orchestrator.practice_venue.effects import EFFECTS, NAMED, Delivery, FaultSpec, Phase
from trading_orchestrator.practice_venue.faults import Call, Faults, FaultUnknown

PLACE = Call("order.place", "alice", "one")


class Stopwatch:
    def __init__(self) -> None:
        self.now_s = 100.0

    def read(self) -> float:
        return self.now_s


@pytest.fixture
def watch() -> Stopwatch:
    return Stopwatch()


@pytest.fixture
def faults(watch: Stopwatch) -> Faults:
    return Faults(seed=7, now_s=watch.read)


def strikes(faults: Faults, phase: Phase, *calls: Call) -> list[bool]:
    return [faults.strike(phase, call) is not None for call in calls]


def test_every_named_fault_has_an_effect() -> None:
    effects = {effect.name for effect in EFFECTS}

    assert set() == {str(row["effect"]) for row in NAMED.values()} - effects


def test_a_fault_without_a_count_strikes_once(faults: Faults) -> None:
    faults.add(FaultSpec(fault="F1"))

    assert [True, False] == strikes(faults, Phase.ANSWER, PLACE, PLACE)


def test_it_strikes_only_its_call_its_account_its_order_and_its_phase(faults: Faults) -> None:
    faults.add(FaultSpec(fault="F4", account="alice", client_order_id="one", times=9))

    others = [
        Call("order.cancel", "alice", "one"),
        Call("order.place", "bob", "one"),
        Call("order.place", "alice", "two"),
    ]

    assert [False, False, False] == strikes(faults, Phase.BEFORE, *others)
    assert [False] == strikes(faults, Phase.ANSWER, PLACE)
    assert [True] == strikes(faults, Phase.BEFORE, PLACE)


def test_a_pattern_names_many_calls(faults: Faults) -> None:
    faults.add(FaultSpec(effect="refuse", call="order.*", times=9))

    calls = [Call(name, None, None) for name in ("order.place", "order.query", "open_orders.query")]

    assert [True, True, False] == strikes(faults, Phase.BEFORE, *calls)


def test_the_nth_call_is_struck_and_no_other(faults: Faults) -> None:
    faults.add(FaultSpec(fault="F2", nth=3))

    assert [False, False, True, False] == strikes(faults, Phase.ANSWER, *[PLACE] * 4)


def test_a_fault_for_a_time_ends_with_it(faults: Faults, watch: Stopwatch) -> None:
    faults.add(FaultSpec(fault="F7", for_s=30))
    query = Call("order.query", "alice", "one")

    during = strikes(faults, Phase.BEFORE, query, query)
    watch.now_s += 30

    assert [True, True] == during
    assert [False] == strikes(faults, Phase.BEFORE, query)


def test_chance_is_decided_by_the_seed() -> None:
    rounds = []
    for seed in (1, 1, 2):
        faults = Faults(seed, lambda: 0.0)
        faults.add(FaultSpec(fault="F1", probability=0.3))
        rounds.append(strikes(faults, Phase.ANSWER, *[PLACE] * 200))

    assert rounds[0] == rounds[1]
    assert rounds[0] != rounds[2]
    assert 30 < sum(rounds[0]) < 90


def test_a_chance_of_nothing_never_strikes(faults: Faults) -> None:
    faults.add(FaultSpec(fault="F1", probability=0.0))

    assert [False] * 50 == strikes(faults, Phase.ANSWER, *[PLACE] * 50)


def test_a_used_up_fault_is_listed_with_its_count(faults: Faults) -> None:
    faults.add(FaultSpec(fault="F1"))
    strikes(faults, Phase.ANSWER, PLACE, PLACE)

    assert [("never_answer", 1)] == [(fault.effect.name, fault.acted) for fault in faults.list()]


def test_another_code_brings_its_own_status(faults: Faults) -> None:
    faults.add(FaultSpec(fault="F8", code=-1021))

    struck = faults.strike(Phase.BEFORE, PLACE)

    assert struck is not None
    answer = struck[1].answer
    assert answer is not None
    assert (400, Delivery.WHOLE) == (answer.status, struck[1].delivery)
    assert b'{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}' == answer.body


def test_cleared_faults_do_not_strike(faults: Faults) -> None:
    first = faults.add(FaultSpec(fault="F1"))
    faults.add(FaultSpec(fault="F4"))

    assert (1, 1) == (faults.clear(first.fault_id), faults.clear())
    assert [False] == strikes(faults, Phase.ANSWER, PLACE)


def test_an_unknown_effect_is_refused_with_the_known_ones(faults: Faults) -> None:
    with pytest.raises(FaultUnknown, match="never_answer"):
        faults.add(FaultSpec(effect="explode"))
