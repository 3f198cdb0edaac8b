"""A process plays hundreds of seeds: each world is gone when its verdict is there, so that memory does not grow."""

from __future__ import annotations

import gc
import logging

from trading_orchestrator.simulation.simulate import Span, simulate
from trading_orchestrator.simulation.world import World


def test_no_world_outlives_its_verdict() -> None:
    logging.disable(logging.CRITICAL)
    try:
        simulate(1, Span(0.00003), faults="heavy")
    finally:
        logging.disable(logging.NOTSET)

    assert [] == [each for each in gc.get_objects() if isinstance(each, World)]
