"""A drill is passed when the failure was named, the system traded again by itself, and the judge found nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from trading_orchestrator.drills.arena import Arena
from trading_orchestrator.drills.drill import Drill, Outcome
from trading_orchestrator.drills.evidence import JournalFact
from trading_orchestrator.drills.judge import Finding
from trading_orchestrator.drills.one_drill import run_drill
from trading_orchestrator.drills.running_system import DESK, RunningSystem
from trading_orchestrator.drills.sign import incident
from trading_orchestrator.drills.venue_process import VenueProcess
from trading_orchestrator.drills.waiting import DrillFailed
from trading_orchestrator.kernel.clock import VirtualClock

BEGAN_NS = VirtualClock().wall_ns()


class Scripted(Arena):
    """An arena of which every fact is known beforehand: those before the fault, and those after it."""

    def __init__(self, after: Sequence[JournalFact], findings: Sequence[Finding] = (), *, open_: str = "") -> None:
        folder = Path("nowhere")
        super().__init__(venue := VenueProcess(folder), Known(folder, venue))
        self._facts = [*orders(1, at_s=-1.0, count=20), *after]
        self._found = list(findings)
        self._open_class = open_

    def trader(self) -> tuple[int, str]:
        return 1, "a"

    def facts(self, after_pos: int) -> Sequence[JournalFact]:
        return [fact for fact in self._facts if fact.pos > after_pos]

    def wait_fact(
        self, wanted: Callable[[JournalFact], bool], after_pos: int, within_s: float, what: str
    ) -> JournalFact:
        for fact in self.facts(after_pos):
            if wanted(fact):
                return fact
        raise DrillFailed(f"expected {what} within {within_s:g} s")

    def judge(self) -> Sequence[Finding]:
        return self._found

    def wait_closed(self, after_pos: int) -> None:
        if self._open_class:
            raise DrillFailed(f"expected no open incident within 45 s, was {self._open_class}")


@dataclass
class Known(RunningSystem):
    """The journal was at 0 when the first orders were counted, and at 100 when the fault began."""

    asked: int = 0

    def last_pos(self) -> int:
        self.asked += 1
        return 0 if self.asked == 1 else 100


def fact(pos: int, kind: str, at_s: float, *, stream: str = "ops/incidents", **body: Any) -> JournalFact:
    return JournalFact(pos, BEGAN_NS + int(at_s * 1e9), "a", 1, stream, kind, body)


def orders(pos: int, *, at_s: float, count: int = 1) -> list[JournalFact]:
    both: list[JournalFact] = []
    for number in range(pos, pos + 2 * count, 2):
        name = f"order{number}"
        both.append(fact(number, "order.intended", at_s, stream=DESK, order={"cl_ord_id": name}))
        both.append(fact(number + 1, "order.accepted", at_s + 0.1, stream=DESK, report={"cl_ord_id": name}))
    return both


def opened(pos: int, failure: str, at_s: float) -> JournalFact:
    """An incident that the journal could take only ten seconds after it was opened."""
    at_ns = BEGAN_NS + int(at_s * 1e9)
    return fact(pos, "incident.opened", at_s + 10.0, incident_id="i", failure=failure, at_ns=at_ns)


CLAIMED = fact(101, "lease.claimed", 0.5, lease=DESK, succession="proved_death")
DIED = opened(103, "node.death", 1.5)
KILL = Drill("kill-trader", "kill -9", lambda arena: None, (incident("node.death"),))


def run(drill: Drill, arena: Arena) -> Outcome:
    return run_drill(drill, arena, VirtualClock(), judged=True)


def test_it_is_passed_with_its_times() -> None:
    outcome = run(KILL, Scripted([CLAIMED, DIED, *orders(104, at_s=0.6)]))

    assert outcome.passed
    assert ("node.death", 1.5, 0.5, 0.7) == (
        outcome.recognized_as,
        outcome.detected_after_s,
        outcome.takeover_after_s,
        outcome.recovered_after_s,
    )
    assert ("node.death",) == outcome.incidents


@pytest.mark.parametrize("otherwise", [fact(103, "order.doubted", 1.0, stream=DESK), opened(103, "database.lost", 1.0)])
def test_another_name_and_a_takeover_are_no_detection(otherwise: JournalFact) -> None:
    outcome = run(KILL, Scripted([CLAIMED, otherwise, *orders(104, at_s=0.6)]))

    assert (False, None, "") == (outcome.passed, outcome.detected_after_s, outcome.recognized_as)
    assert ("expected node.death for kill-trader within 20 s",) == outcome.wrongs


def test_an_order_decided_before_the_fault_ended_is_no_recovery() -> None:
    outcome = run(KILL, Scripted([CLAIMED, DIED, *orders(104, at_s=-0.01)]))

    assert (False, None) == (outcome.passed, outcome.recovered_after_s)
    assert ("expected orders again after kill-trader within 30 s",) == outcome.wrongs


def test_what_the_judge_found_is_counted_by_its_kind() -> None:
    found = [Finding("lost", "trade 5 was never booked"), Finding("untrue", "position"), Finding("doubled", "order x")]
    outcome = run(KILL, Scripted([CLAIMED, DIED, *orders(104, at_s=0.6)], found))

    assert (False, 1, 1) == (outcome.passed, outcome.lost, outcome.doubled)
    assert ("trade 5 was never booked", "position", "order x") == outcome.wrongs


def test_an_incident_that_stays_open_is_no_recovery() -> None:
    outcome = run(KILL, Scripted([CLAIMED, DIED, *orders(104, at_s=0.6)], open_="node.death"))

    assert not outcome.passed
    assert ("expected no open incident within 45 s, was node.death",) == outcome.wrongs
