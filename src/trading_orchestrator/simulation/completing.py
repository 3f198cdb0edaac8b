"""Until nothing is missing: seeds that aim at what earlier ones did not bring about, so that a run needs no luck."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from trading_orchestrator.simulation.coverage import Cell, Coverage
from trading_orchestrator.simulation.simulate import Outcome

AIMED_SEEDS_MOST = 24
"""Each aims at everything that is missing; what so many cannot bring about, a change has made impossible."""


def completed(
    coverage: Coverage,
    play: Callable[[Sequence[int], Sequence[Cell]], Iterable[Outcome]],
    first_seed: int,
    *,
    missing: Callable[[Coverage], Sequence[Cell]] = Coverage.unreached,
    at_once: int = 1,
) -> Iterator[Outcome]:
    """Yield the outcomes of further seeds, a few at a time, each added to the coverage.

    Args:
        play: plays some seeds, all with these aims.
        first_seed: the next ones follow it.
        missing: what the coverage still lacks.
        at_once: how many seeds aim at the same, for a machine with so many cores.
    """
    for seed in range(first_seed, first_seed + AIMED_SEEDS_MOST, at_once):
        aims = missing(coverage)
        if not aims:
            return
        for outcome in play(range(seed, seed + at_once), aims):
            coverage.add(outcome.met)
            yield outcome
