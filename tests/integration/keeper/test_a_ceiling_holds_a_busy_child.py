"""A child with a CPU ceiling that keeps a core busy is held back by the kernel, and its group goes with it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from tests.running_system import wait_until
from trading_orchestrator.keeper.child import Child, Spec
from trading_orchestrator.keeper.cpu_quota import V1, V2, ceiling_of
from trading_orchestrator.kernel.clock import SystemClock

RATIO = 0.1
HELD_BACK_TIMES = 5


def throttled_times(group: Path) -> int:
    """Return how often the kernel made the group wait for its next period."""
    words = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    return int(words["nr_throttled"])


def test_a_busy_child_is_held_back() -> None:
    spec = Spec("busy", [sys.executable, "-c", "while True: pass"], b"", cpu_max_ratio=RATIO)
    child = Child(spec, started_ns=SystemClock().boot_ns())
    group = next(root / f"trading-orchestrator-{child.pid}" for root in (V2, V1) if root.is_dir())
    try:
        if child.unlimited_because:
            pytest.skip(f"this host gives nobody a ceiling: {child.unlimited_because}")
        group = next(root / group.name for root in (V2, V1) if (root / group.name).is_dir())
        assert RATIO == ceiling_of(child.pid)
        wait_until(lambda: throttled_times(group) >= HELD_BACK_TIMES, within_s=60, what="the kernel to hold it back")
    finally:
        child.signal(signal.SIGKILL)
        child.reap()
        child.close()
    assert not group.exists()
