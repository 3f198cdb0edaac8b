"""The garbage collector, set for a process that holds much for long and must never pause."""

from __future__ import annotations

import gc

YOUNG = 50_000
"""Allocations between two looks at the young: with Python's 700 a start with 10,000 open orders spent 40 % of its CPU
on looking again at what stays (benchmarks/reconcile.py)."""


def begin_without_collecting() -> None:
    """Collect nothing while the program imports and builds itself: nearly all of it stays."""
    gc.disable()


def collect_seldom() -> None:
    """Leave out what is there now for good, and look at the rest seldom. Cycles are still found, a little later."""
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)
    gc.enable()
