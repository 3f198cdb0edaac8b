"""One drill, from its first healthy orders to the judge's word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from trading_orchestrator.drills.arena import Arena
from trading_orchestrator.drills.drill import Drill, Outcome
from trading_orchestrator.drills.evidence import JournalFact
from trading_orchestrator.drills.judge import Finding
from trading_orchestrator.drills.running_system import DESK
from trading_orchestrator.drills.sign import Sign, said
from trading_orchestrator.drills.waiting import DrillFailed, wait_until
from trading_orchestrator.kernel.clock import Clock

T = TypeVar("T")
ORDERS_BEFORE = 10
_TAKEN = said("lease.claimed", lease=DESK)


def run_drill(drill: Drill, arena: Arena, clock: Clock, judged: bool) -> Outcome:
    """Run it and return what it showed.

    Args:
        judged: read both accounts afterwards, which stops trading for a moment.
    """
    try:
        _warm_up(arena)
    except DrillFailed as error:
        return Outcome(drill.name, "", None, None, None, 0.0, 0, 0, (f"the drill could not begin: {error.message}",))
    run = _Run(drill, arena, after_pos=arena.system.last_pos(), began_ns=clock.wall_ns())
    drill.inject(arena)
    run.ended_ns = clock.wall_ns()
    run.watch()
    findings = list(run.tried(arena.judge) or ()) if judged else []
    run.tried(lambda: arena.wait_closed(run.after_pos))
    return run.outcome(findings)


def _warm_up(arena: Arena) -> None:
    """A standby is ready, and orders flow."""
    arena.trader()
    after_pos = arena.system.last_pos()

    def orders() -> bool:
        return sum(fact.kind == "order.accepted" for fact in arena.facts(after_pos)) >= ORDERS_BEFORE

    wait_until(orders, within_s=30, what=f"{ORDERS_BEFORE} orders before the fault", every_s=0.1)


@dataclass
class _Run:
    """What was seen so far. `missed`: one sentence for each thing that had to happen and did not."""

    drill: Drill
    arena: Arena
    after_pos: int
    began_ns: int
    ended_ns: int = 0
    detected: JournalFact | None = None
    recovered: JournalFact | None = None
    missed: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Wait for the detection, for the system's answer, and for the first order after both."""
        drill = self.drill
        names = " or ".join(sign.name for sign in drill.recognized_as)
        noticed = Sign(names, lambda fact: any(sign.shows(fact) for sign in drill.recognized_as))
        self.detected = self._wait(noticed, self.after_pos, drill.detected_within_s, f"{names} for {drill.name}")
        if self.detected is None:
            return
        if drill.answered_by is not None:
            answer = self._wait(drill.answered_by, self.after_pos, drill.within_s, f"an answer to {drill.name}")
            if answer is None:
                return
            self.ended_ns = max(self.ended_ns, answer.happened_ns)
        self.recovered = self._trades_again()

    def _trades_again(self) -> JournalFact | None:
        """The first order accepted whose intent is younger than the end of the fault."""
        young: set[str] = set()

        def accepted(fact: JournalFact) -> bool:
            if fact.stream != DESK:
                return False
            if fact.kind == "order.intended" and fact.at_ns >= self.ended_ns:
                young.add(fact.body["order"]["cl_ord_id"])
            return fact.kind == "order.accepted" and fact.body["report"]["cl_ord_id"] in young

        sign = Sign("an order", accepted)
        return self._wait(sign, self.after_pos, self.drill.within_s, f"orders again after {self.drill.name}")

    def _wait(self, sign: Sign, after_pos: int, within_s: float, what: str) -> JournalFact | None:
        return self.tried(lambda: self.arena.wait_fact(sign.shows, after_pos, within_s, what))

    def tried(self, act: Callable[[], T]) -> T | None:
        """Return what came of it, None when it failed: that is noted."""
        try:
            return act()
        except DrillFailed as error:
            self.missed.append(error.message)
            return None

    def outcome(self, findings: list[Finding]) -> Outcome:
        facts = self.arena.facts(self.after_pos)
        taken = next((fact for fact in facts if _TAKEN.shows(fact)), None)
        opened = [str(fact.body["failure"]) for fact in facts if fact.kind == "incident.opened"]
        return Outcome(
            drill=self.drill.name,
            recognized_as=self._name_of_detected(),
            detected_after_s=self._after_s(self.detected),
            takeover_after_s=self._after_s(taken),
            recovered_after_s=self._after_s(self.recovered),
            outage_s=round((self.ended_ns - self.began_ns) / 1e9, 2),
            lost=sum(finding.kind == "lost" for finding in findings),
            doubled=sum(finding.kind == "doubled" for finding in findings),
            wrongs=(*self.missed, *(finding.sentence for finding in findings)),
            incidents=tuple(dict.fromkeys(opened)),
        )

    def _name_of_detected(self) -> str:
        fact = self.detected
        signs = self.drill.recognized_as
        return "" if fact is None else next(sign.name for sign in signs if sign.shows(fact))

    def _after_s(self, fact: JournalFact | None) -> float | None:
        return None if fact is None else max(0.0, round((fact.happened_ns - self.began_ns) / 1e9, 3))
