"""A soak: the system at load for hours, random drills now and then, everything measured, and judged at the end."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from trading_orchestrator.drills.arena import Arena
from trading_orchestrator.drills.catalogue import DRILLS
from trading_orchestrator.drills.drill import Drill, Outcome
from trading_orchestrator.drills.exercise import exercise
from trading_orchestrator.drills.soak_gauge import SoakGauge
from trading_orchestrator.drills.soak_verdict import Line, Reading, judge_lines
from trading_orchestrator.drills.waiting import DrillFailed
from trading_orchestrator.kernel.clock import Clock, Stopwatch

LOOK_S = 0.5
JUDGED_EACH_FACTS = 100_000
"""The judge reads both accounts whole: with more facts than this it judges at the end alone."""


@dataclass(frozen=True)
class SoakPlan:
    """What to do. `drill_every_s`: from the end of one drill to the next; 0 for none."""

    hours: float
    seed: int
    orders_per_s: float
    drill_every_s: float
    sample_every_s: float = 2.0


@dataclass
class Soaked:
    """What a soak showed. `wrongs`: of the judge, in the end; `gauge_trouble`: why measuring ended early, or ""."""

    plan: SoakPlan
    lasted_s: float = 0.0
    facts: int = 0
    orders: int = 0
    lines: list[Line] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    wrongs: list[str] = field(default_factory=list)
    gauge_trouble: str = ""

    @property
    def broken(self) -> list[str]:
        """Return one sentence for each thing that is not as it must be."""
        drills = [
            f"drill {one.drill}: {'; '.join(one.wrongs) or 'not passed'}" for one in self.outcomes if not one.passed
        ]
        trouble = [self.gauge_trouble] if self.gauge_trouble else []
        return [*(line.wrong for line in self.lines if line.wrong), *drills, *self.wrongs, *trouble]


def soak(
    arena: Arena, plan: SoakPlan, clock: Clock, *, ends: Callable[[], bool], tell: Callable[[str], None]
) -> Soaked:
    """Run until the hours are over or `ends` says so, then judge.

    Args:
        tell: gets a sentence of progress now and then.
    """
    soaked = Soaked(plan)
    sampler = _Sampler(SoakGauge(arena.system), plan.sample_every_s)
    sampler.start()
    watch = Stopwatch()
    try:
        _drills_until_the_end(arena, soaked, clock, watch, ends, lambda said: tell(f"{said}; {sampler.said()}"))
    finally:
        sampler.end()
    soaked.lasted_s = watch.elapsed_s()
    tell("judging orders and trades …")
    try:
        soaked.wrongs += [finding.sentence for finding in arena.judge()]
    except DrillFailed as error:
        soaked.wrongs.append(error.message)
    soaked.facts = arena.system.last_pos()
    soaked.orders = int(arena.system.query("SELECT count(*) FROM facts WHERE kind = 'order.intended'")[0][0])
    soaked.lines = judge_lines(sampler.readings)
    soaked.gauge_trouble = sampler.trouble
    return soaked


def drill_number(number: int, seed: int, drills: Sequence[Drill]) -> Drill:
    """Return the n-th drill of a seed: the same seed gives the same drills in the same order."""
    digest = hashlib.blake2b(f"{seed}/{number}".encode(), digest_size=8).digest()
    return drills[int.from_bytes(digest) % len(drills)]


def _drills_until_the_end(
    arena: Arena, soaked: Soaked, clock: Clock, watch: Stopwatch, ends: Callable[[], bool], tell: Callable[[str], None]
) -> None:
    # A drill with a config of its own would leak or loop for the whole soak, which is what a soak must find broken.
    plan, drills = soaked.plan, [drill for drill in DRILLS if not drill.more]
    tell_every_s = max(15.0, min(60.0, plan.hours * 360))
    next_drill_s, next_tell_s = plan.drill_every_s or float("inf"), 0.0
    while watch.elapsed_s() < plan.hours * 3600 and not ends():
        if watch.elapsed_s() >= next_drill_s:
            drill = drill_number(len(soaked.outcomes), plan.seed, drills)
            is_short = arena.system.last_pos() < JUDGED_EACH_FACTS
            try:
                soaked.outcomes += exercise([drill], arena, clock, tell=lambda said: tell(_of(said)), judged=is_short)
            except DrillFailed as error:
                soaked.wrongs.append(f"drill {drill.name}: {error.message}")
            next_drill_s = watch.elapsed_s() + plan.drill_every_s
        elif watch.elapsed_s() >= next_tell_s:
            tell(f"{watch.elapsed_s() / 60:.1f} of {plan.hours * 60:g} min")
            next_tell_s += tell_every_s
        watch.pause(LOOK_S)


def _of(outcome: Outcome) -> str:
    return f"drill {outcome.drill}: {'passed' if outcome.passed else 'FAILED: ' + '; '.join(outcome.wrongs[:3])}"


class _Sampler:
    """Measures on a thread of its own, also while a drill waits. `readings`, `trouble`: read them after `end`."""

    def __init__(self, gauge: SoakGauge, every_s: float) -> None:
        self._gauge = gauge
        self._every_s = every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="soak-gauge", daemon=True)
        self._newest: Sequence[Reading] = ()
        self.readings: list[Reading] = []
        self.trouble = ""

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join(timeout=30)

    def said(self) -> str:
        """Return the newest figures in one line."""
        newest = {(one.of, one.what): one.value for one in self._newest}
        pss, wal = newest.get(("system", "pss"), 0.0), newest.get(("journal.db-wal", "wal"), 0.0)
        facts, disk = newest.get(("files", "facts"), 0.0), newest.get(("files", "disk"), 0.0)
        return f"{facts:.0f} facts, all processes {pss:.0f} MB, log {wal:.1f} MB, disk {disk:.0f} MB"

    def _run(self) -> None:
        watch = Stopwatch()
        try:
            while not self._over.wait(self._every_s):
                self._newest = self._gauge.take(watch.elapsed_s())
                self.readings.extend(self._newest)
        except Exception as error:  # noqa: BLE001 - the end of the thread: said in the report, and the soak fails
            self.trouble = f"measuring ended early: {type(error).__name__}: {error}"
