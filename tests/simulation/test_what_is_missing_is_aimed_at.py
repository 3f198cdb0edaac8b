"""No run depends on luck: faults are dealt like cards over all seeds, and what is missing is aimed at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice

import pytest

from trading_orchestrator.errors import Refused
from trading_orchestrator.simulation.aims import read_aim, told
from trading_orchestrator.simulation.completing import AIMED_SEEDS_MOST, completed
from trading_orchestrator.simulation.coverage import Cell, Coverage
from trading_orchestrator.simulation.decks import dealt
from trading_orchestrator.simulation.faults import FaultKind
from trading_orchestrator.simulation.simulate import Outcome, Span, simulate
from trading_orchestrator.trading.orders.life import At

RARE = (FaultKind.TWICE, At.QUARANTINED)


def test_neighbours_share_one_row_in_which_each_card_comes_equally_often() -> None:
    cards = "aabcdefg"
    shares = [islice(dealt(cards, "row", seed * 4), 4) for seed in range(20)]

    assert Counter(card for share in shares for card in share) == Counter(cards * 10)


def test_a_rare_pair_is_met_by_seeds_that_aim_at_it() -> None:
    coverage = Coverage()
    played: list[Outcome] = []

    def play(seeds: Sequence[int], aims: Sequence[Cell]) -> list[Outcome]:
        played.extend(simulate(seed, Span(0.0002), faults="heavy", aims=aims) for seed in seeds)
        return played[-len(seeds) :]

    def missing(so_far: Coverage) -> list[Cell]:
        return [] if RARE in so_far.met else [RARE]

    found = list(completed(coverage, play, 1, missing=missing))

    assert RARE in coverage.met
    assert played == found
    assert [f"--seed {outcome.seed} --days 0.0002 --faults heavy --aim twice:quarantined" for outcome in found] == [
        outcome.replay for outcome in found
    ]


def test_what_never_meets_ends_the_search() -> None:
    blank = simulate(1, Span(0.00001), faults="none")

    def play(seeds: Sequence[int], aims: Sequence[Cell]) -> list[Outcome]:
        return [blank for _ in seeds]

    assert AIMED_SEEDS_MOST == len(list(completed(Coverage(), play, 1)))
    assert AIMED_SEEDS_MOST == len(list(completed(Coverage(), play, 1, at_once=2)))


def test_a_pair_is_named_as_the_table_names_it() -> None:
    assert RARE == read_aim(told(RARE))
    with pytest.raises(Refused, match="FAULT:STATE"):
        read_aim("ghost:busy")
