"""A process plays hundreds of seeds: each world is gone when its verdict is there, so that memory does not grow."""

from __future__ import annotations

import gc
import logging

from trading_orchestrator.simulation.simulate import Span, simulate
from trading_orchestrator.simulation.world import World


def test_no_world_outlives_its_verdict() -> None:
    earlier = worlds()  # a test before this one may have logged an error, and pytest keeps what errors hold
    logging.disable(logging.CRITICAL)
    try:
        simulate(1, Span(0.00003), faults="heavy")
    finally:
        logging.disable(logging.NOTSET)

    assert [] == [world for world in worlds() if world not in earlier]


def worlds() -> list[World]:
    return [each for each in gc.get_objects() if isinstance(each, World)]
