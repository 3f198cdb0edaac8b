"""Drills run in one arena; one with config of its own gets an arena with that config, beside the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import pytest

from trading_orchestrator.drills import exercise as exercising
from trading_orchestrator.drills.catalogue import DRILLS, drill_named
from trading_orchestrator.drills.drill import Drill, Outcome
from trading_orchestrator.drills.waiting import DrillFailed
from trading_orchestrator.kernel.clock import VirtualClock

NAMES = ("kill-trader", "steal-lock", "leak-memory", "kill-venue")
Run = Callable[[str, Drill], None]


def passed(drill: Drill) -> Outcome:
    return Outcome(drill.name, "node.death", 1.0, None, 2.0, 0.0, 0, 0, ())


@pytest.fixture
def arenas(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every arena in the order of its opening, as (folder, config); a closed one is (folder, "closed")."""
    seen: list[tuple[str, str]] = []

    @contextmanager
    def arena(folder: Path, *, orders_per_s: float, more: str) -> Iterator[str]:
        assert [] == list(folder.iterdir())
        seen.append((folder.name, more))
        yield folder.name
        seen.append((folder.name, "closed"))

    monkeypatch.setattr(exercising, "arena", arena)
    return seen


def drills_run(folder: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> list[Outcome]:
    def exercise(
        drills: Sequence[Drill], place: str, clock: VirtualClock, *, tell: Callable[[Outcome], None]
    ) -> list[Outcome]:
        for drill in drills:
            run(place, drill)
            tell(passed(drill))
        return [passed(drill) for drill in drills]

    monkeypatch.setattr(exercising, "exercise", exercise)
    return exercising.exercise_all(
        [drill_named(name) for name in NAMES], folder, VirtualClock(), orders_per_s=10.0, tell=lambda outcome: None
    )


def test_every_arena_has_the_config_of_its_drills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arenas: list[tuple[str, str]]
) -> None:
    ran: set[tuple[str, str]] = set()
    outcomes = drills_run(tmp_path, monkeypatch, lambda place, drill: ran.add((place, drill.name)))

    leak = drill_named("leak-memory").more
    closed = [(f"arena{number}", "closed") for number in (2, 1, 0)]
    assert list(NAMES) == [one.drill for one in outcomes]
    assert [("arena0", ""), ("arena1", leak), ("arena2", ""), *closed] == arenas
    assert set(zip(["arena0", "arena0", "arena1", "arena2"], NAMES, strict=True)) == ran


def test_arenas_are_drilled_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arenas: list[tuple[str, str]]
) -> None:
    all_at_once = Barrier(3, timeout=30)

    def meet(place: str, drill: Drill) -> None:
        if drill.name != "steal-lock":
            all_at_once.wait()  # breaks, were they one after the other

    assert len(NAMES) == len(drills_run(tmp_path, monkeypatch, meet))


def test_an_arena_that_falls_over_is_told_and_every_arena_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arenas: list[tuple[str, str]]
) -> None:
    def fall(place: str, drill: Drill) -> None:
        if drill.name == "leak-memory":
            raise ValueError("no such fault")

    with pytest.raises(DrillFailed, match="the arena fell over: no such fault"):
        drills_run(tmp_path, monkeypatch, fall)
    assert 3 == sum(config != "closed" for _, config in arenas)


def test_the_whole_catalogue_needs_as_few_arenas_as_configs() -> None:
    configs = [drill.more for drill in DRILLS]
    changes = sum(before != after for before, after in zip(configs, configs[1:], strict=False))

    assert len(set(configs)) == changes + 1
