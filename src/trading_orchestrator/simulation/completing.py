"""Until nothing is missing: seeds that aim at what earlier ones did not bring about, so that a run needs no luck."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from trading_orchestrator.simulation.coverage import Cell, Coverage
from trading_orchestrator.simulation.simulate import Outcome

AIMED_SEEDS_MOST = 24
"""Each aims at everything that is missing; what so many cannot bring about, a change has made impossible."""


def completed(
    coverage: Coverage,
    play: Callable[[int, Sequence[Cell]], Outcome],
    first_seed: int,
    *,
    missing: Callable[[Coverage], Sequence[Cell]] = Coverage.unreached,
) -> Iterator[Outcome]:
    """Yield the outcomes of further seeds, one after the other, each added to the coverage.

    Args:
        play: plays one seed with its aims.
        first_seed: the next ones follow it.
        missing: what the coverage still lacks.
    """
    for seed in range(first_seed, first_seed + AIMED_SEEDS_MOST):
        aims = missing(coverage)
        if not aims:
            return
        outcome = play(seed, aims)
        coverage.add(outcome.met)
        yield outcome
