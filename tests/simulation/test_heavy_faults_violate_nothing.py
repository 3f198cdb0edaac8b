"""Crashes, lost messages, sick disks and wrong clocks: no invariant is violated, and they all met orders.

These are the very seeds that find the planted bugs, so here they are the control. SIMULATION_SEEDS=200 is the long
form: longer runs, and every pair of the coverage table must have been reached, too.
"""

from __future__ import annotations

import logging
import os

import pytest

from trading_orchestrator.simulation.coverage import Coverage
from trading_orchestrator.simulation.faults import FaultKind
from trading_orchestrator.simulation.simulate import simulate

SHORT = 12
SEEDS = int(os.environ.get("SIMULATION_SEEDS", str(SHORT)))
DAYS = 0.00025 if SEEDS <= SHORT else 0.0006


@pytest.mark.timeout(900)
def test_no_seed_violates_an_invariant() -> None:
    logging.disable(logging.CRITICAL)
    outcomes = [simulate(seed, days=DAYS, faults="heavy") for seed in range(1, SEEDS + 1)]
    logging.disable(logging.NOTSET)
    coverage = Coverage()
    for outcome in outcomes:
        coverage.add(outcome.met)
    print("\n".join(coverage.table()))

    assert {} == {outcome.replay: outcome.violations for outcome in outcomes if not outcome.ok}
    assert set(FaultKind) == {kind for kind, _ in coverage.met}
    assert [] == (coverage.unreached() if SEEDS > SHORT else [])
