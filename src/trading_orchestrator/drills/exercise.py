"""Runs drills: those with the same config one after the other in one arena, arenas side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

from trading_orchestrator.drills.arena import Arena, arena
from trading_orchestrator.drills.drill import Drill, Outcome
from trading_orchestrator.drills.one_drill import run_drill
from trading_orchestrator.drills.waiting import DrillFailed
from trading_orchestrator.kernel.clock import Clock

Tell = Callable[[Outcome], None]


def exercise_all(
    drills: Sequence[Drill], folder: Path, clock: Clock, *, orders_per_s: float, tell: Tell
) -> list[Outcome]:
    """Run the drills in one arena, and those with a config of their own in arenas of their own, under `folder`.

    Arenas share nothing but the host; a fault of one is none of the other. Every arena is ended before this returns.

    Raises:
        DrillFailed: an arena could not be set up, or fell over.
    """
    groups = [(more, list(group)) for more, group in groupby(drills, key=lambda drill: drill.more)]
    one_at_a_time = threading.Lock()

    def told(outcome: Outcome) -> None:
        with one_at_a_time:
            tell(outcome)

    with ExitStack() as stack:
        lanes = []
        for number, (more, group) in enumerate(groups):
            place = folder / f"arena{number}"
            place.mkdir(parents=True)
            lanes.append(_Lane(group, stack.enter_context(arena(place, orders_per_s=orders_per_s, more=more)), clock))
        for lane in lanes:
            lane.start(told)
        for lane in lanes:
            lane.wait()
    return [outcome for lane in lanes for outcome in lane.outcomes]


def exercise(drills: Sequence[Drill], arena: Arena, clock: Clock, *, tell: Tell, judged: bool = True) -> list[Outcome]:
    """Run the drills; each outcome is told as soon as it is known.

    Args:
        judged: read both accounts after each drill; a long run judges once, at its end.
    """
    outcomes = []
    for drill in drills:
        outcome = run_drill(drill, arena, clock, judged)
        outcomes.append(outcome)
        tell(outcome)
    return outcomes


class _Lane:
    """One arena's drills on a thread of its own; the thread that made it waits, and ends the arenas on Ctrl-C."""

    def __init__(self, drills: Sequence[Drill], arena: Arena, clock: Clock) -> None:
        self.outcomes: list[Outcome] = []
        self._drills, self._arena, self._clock = drills, arena, clock
        self._trouble: Exception | None = None
        self._thread: threading.Thread | None = None

    def start(self, tell: Tell) -> None:
        self._thread = threading.Thread(target=self._run, args=(tell,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return when its drills are over. Raises what ended them early."""
        if self._thread is not None:
            self._thread.join()
        if self._trouble is not None:
            raise DrillFailed(f"the arena fell over: {self._trouble}") from self._trouble

    def _run(self, tell: Tell) -> None:
        try:
            self.outcomes = exercise(self._drills, self._arena, self._clock, tell=tell)
        except Exception as error:  # noqa: BLE001 - the end of the thread: whoever waits for it raises it
            self._trouble = error
