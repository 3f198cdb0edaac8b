"""Runs drills one after the other, and says of each what it showed; those that need a config of their own get one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from trading_orchestrator.drills.arena import Arena, arena
from trading_orchestrator.drills.drill import Drill, Outcome
from trading_orchestrator.drills.judge import JournalFact
from trading_orchestrator.drills.running_system import DESK
from trading_orchestrator.drills.waiting import DrillFailed, wait_until
from trading_orchestrator.kernel.clock import Clock

ORDERS_BEFORE = 10


def exercise_all(
    drills: Sequence[Drill], folder: Path, clock: Clock, *, orders_per_s: float, tell: Callable[[Outcome], None]
) -> list[Outcome]:
    """Run the drills in one arena, and those with a config of their own in arenas of their own, under `folder`."""
    outcomes: list[Outcome] = []
    for number, (more, group) in enumerate(groupby(drills, key=lambda drill: drill.more)):
        place = folder / f"arena{number}"
        place.mkdir(parents=True)
        with arena(place, orders_per_s=orders_per_s, more=more) as one:
            outcomes += exercise(list(group), one, clock, tell=tell)
    return outcomes


def exercise(
    drills: Sequence[Drill], arena: Arena, clock: Clock, *, tell: Callable[[Outcome], None], judged: bool = True
) -> list[Outcome]:
    """Run the drills; each outcome is told as soon as it is known.

    Args:
        judged: read both accounts after each drill; a long run judges once, at its end.
    """
    outcomes = []
    for drill in drills:
        outcome = _one(drill, arena, clock, judged)
        outcomes.append(outcome)
        tell(outcome)
    return outcomes


def _one(drill: Drill, arena: Arena, clock: Clock, judged: bool) -> Outcome:
    try:
        _warm_up(arena)
    except DrillFailed as error:
        return Outcome(drill.name, None, None, 0.0, 0, 0, (f"the drill could not begin: {error.message}",))
    after_pos, began_ns = arena.system.last_pos(), clock.wall_ns()
    drill.inject(arena)
    ended_ns = clock.wall_ns()
    said: list[str] = []
    detected = _detected(drill, arena, after_pos, said)
    answer = _answer(drill, arena, detected, said) if detected is not None else None
    if drill.answered_by is not None and answer is not None:
        ended_ns = max(ended_ns, answer.at_ns)
    recovered = _recovered(drill, arena, answer, ended_ns, said) if answer is not None else None
    said += arena.judge() if judged else ()
    return Outcome(
        drill=drill.name,
        detected_after_s=_seconds(began_ns, detected),
        recovered_after_s=_seconds(began_ns, recovered),
        outage_s=round((ended_ns - began_ns) / 1e9, 2),
        lost=sum("not in the journal" in one or "never booked" in one or "still unknown" in one for one in said),
        doubled=sum("times" in one or "client order ids" in one for one in said),
        wrongs=tuple(said),
    )


def _warm_up(arena: Arena) -> None:
    """A standby is ready, and orders flow."""
    arena.trader()
    after_pos = arena.system.last_pos()

    def orders() -> bool:
        return sum(fact.kind == "order.accepted" for fact in arena.facts(after_pos)) >= ORDERS_BEFORE

    wait_until(orders, within_s=30, what=f"{ORDERS_BEFORE} orders before the fault", every_s=0.1)


def _detected(drill: Drill, arena: Arena, after_pos: int, said: list[str]) -> JournalFact | None:
    try:
        sign = f"a sign that {drill.name} was noticed"
        return arena.wait_fact(drill.detects, after_pos, drill.detected_within_s, sign)
    except DrillFailed as error:
        said.append(error.message)
        return None


def _answer(drill: Drill, arena: Arena, detected: JournalFact, said: list[str]) -> JournalFact | None:
    """What must be done about it by the system itself, which ends the fault; most faults end by themselves."""
    if drill.answered_by is None:
        return detected
    try:
        return arena.wait_fact(drill.answered_by, detected.pos, drill.within_s, f"an answer to {drill.name}")
    except DrillFailed as error:
        said.append(error.message)
        return None


def _recovered(drill: Drill, arena: Arena, detected: JournalFact, ended_ns: int, said: list[str]) -> JournalFact | None:
    """The first order accepted whose intent is younger than both the detection and the end of the fault."""
    if drill.ends == "halts":
        if drill.repair is not None:
            drill.repair(arena)
        if _trades_again(drill, arena, detected, ended_ns, said) is None:
            return None
        return detected  # stopped safely and told: that is what it must do by itself
    return _trades_again(drill, arena, detected, ended_ns, said)


def _trades_again(
    drill: Drill, arena: Arena, detected: JournalFact, ended_ns: int, said: list[str]
) -> JournalFact | None:
    young: set[str] = set()

    def accepted(fact: JournalFact) -> bool:
        if fact.stream != DESK:
            return False
        if fact.kind == "order.intended" and fact.at_ns >= ended_ns:
            young.add(fact.body["order"]["cl_ord_id"])
        return fact.kind == "order.accepted" and fact.body["report"]["cl_ord_id"] in young

    try:
        return arena.wait_fact(accepted, detected.pos, drill.within_s, f"orders again after {drill.name}")
    except DrillFailed as error:
        said.append(error.message)
        return None


def _seconds(began_ns: int, fact: JournalFact | None) -> float | None:
    return None if fact is None else round((fact.at_ns - began_ns) / 1e9, 3)
