"""The simulation can fail: every planted bug is found within two dozen seeds, most within three."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.simulation.planted_bugs import AIMED, PLANTED
from trading_orchestrator.simulation.coverage import Cell
from trading_orchestrator.simulation.simulate import Span, simulate

SEEDS = range(1, 25)
SPAN = Span(0.0002)
SHORT = 8
BY_NAME = {plant.__name__: plant for plant in PLANTED}


def first_seed_that_finds(name: str) -> int | None:
    """Search in a process of its own, since a planted bug is everywhere in a process."""
    logging.disable(logging.CRITICAL)
    aims = AIMED.get(BY_NAME[name], ())
    with pytest.MonkeyPatch.context() as patch:
        BY_NAME[name](patch)
        played = (simulate(seed, SPAN, faults="heavy", aims=aims, stop_early=True) for seed in SEEDS)
        return next((outcome.seed for outcome in played if not outcome.ok), None)


@pytest.fixture(scope="module")
def searches(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[int | None]]]:
    """All cores search for the bugs whose tests were chosen, each test waits for its own."""
    chosen = [item.name for item in request.session.items if item.get_closest_marker("skip") is None]
    names = [name for name in BY_NAME if any(name in each for each in chosen)]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        yield {name: pool.submit(first_seed_that_finds, name) for name in names}
        pool.shutdown(cancel_futures=True)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if number < SHORT else pytest.mark.long) for number, name in enumerate(BY_NAME)],
)
def test_a_planted_bug_is_found(name: str, searches: Mapping[str, Future[int | None]]) -> None:
    assert searches[name].result() in SEEDS


@pytest.mark.long
@pytest.mark.parametrize("aims", [pytest.param(aims, id=plant.__name__) for plant, aims in AIMED.items()])
def test_without_the_bug_the_same_aims_find_nothing(aims: Sequence[Cell]) -> None:
    logging.disable(logging.CRITICAL)
    try:
        assert [] == list(simulate(1, SPAN, faults="heavy", aims=aims).violations)
    finally:
        logging.disable(logging.NOTSET)
