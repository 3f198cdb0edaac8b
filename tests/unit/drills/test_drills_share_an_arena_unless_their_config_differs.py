"""Drills run in one arena; one with config of its own gets an arena with that config, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from trading_orchestrator.drills import exercise as exercising
from trading_orchestrator.drills.catalogue import DRILLS, drill_named
from trading_orchestrator.drills.drill import Drill, Outcome
from trading_orchestrator.kernel.clock import VirtualClock


def test_every_arena_has_the_config_of_its_drills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, str]] = []
    ran: list[tuple[str, str]] = []

    @contextmanager
    def arena(folder: Path, *, orders_per_s: float, more: str) -> Iterator[str]:
        assert [] == list(folder.iterdir())
        opened.append((folder.name, more))
        yield folder.name

    def exercise(
        drills: Sequence[Drill], place: str, clock: VirtualClock, *, tell: Callable[[Outcome], None]
    ) -> list[Outcome]:
        ran.extend((place, drill.name) for drill in drills)
        return [Outcome(drill.name, 1.0, 2.0, 0.0, 0, 0, ()) for drill in drills]

    monkeypatch.setattr(exercising, "arena", arena)
    monkeypatch.setattr(exercising, "exercise", exercise)
    names = ["kill-trader", "steal-lock", "leak-memory", "kill-venue"]
    outcomes = exercising.exercise_all(
        [drill_named(name) for name in names], tmp_path, VirtualClock(), orders_per_s=10.0, tell=lambda outcome: None
    )

    assert names == [one.drill for one in outcomes]
    leak = drill_named("leak-memory").more
    assert [("arena0", ""), ("arena1", leak), ("arena2", "")] == opened
    assert ["arena0", "arena0", "arena1", "arena2"] == [place for place, _ in ran]


def test_the_whole_catalogue_needs_as_few_arenas_as_configs() -> None:
    configs = [drill.more for drill in DRILLS]
    changes = sum(before != after for before, after in zip(configs, configs[1:], strict=False))

    assert len(set(configs)) == changes + 1
