"""The simulation can fail: every planted bug is found within a dozen seeds."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.simulation.planted_bugs import PLANTED, Plant
from trading_orchestrator.simulation.simulate import Span, simulate

SEEDS = range(1, 13)
SPAN = Span(0.0002)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    found = next((seed for seed in SEEDS if not simulate(seed, SPAN, faults="heavy", stop_early=True).ok), None)

    assert found is not None
