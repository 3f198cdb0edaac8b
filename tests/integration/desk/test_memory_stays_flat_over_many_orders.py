"""I10: memory is O(open orders): fifty thousand orders later a desk holds what it held before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.memory import Sample, slope_bytes

ORDERS = 50_000
MOST_BYTES_AN_ORDER = 64
"""Less than one id kept for each order would take (a string of 23 characters and its place in a dict: 150 bytes)."""


@pytest.mark.long
@pytest.mark.timeout(300)
def test_memory_stays_flat_over_fifty_thousand_orders(root: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.memory", str(ORDERS), "--json"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    measured = json.loads(done.stdout)
    print(f"\n{measured['slope_bytes']:.1f} bytes an order over {ORDERS:,} orders")

    assert ORDERS == measured["samples"][-1][0]
    assert measured["slope_bytes"] < MOST_BYTES_AN_ORDER, measured["samples"]


def test_a_leak_of_a_hundred_bytes_an_order_would_be_seen() -> None:
    leaking = [Sample(number * 2_000, 40_000_000 + number * 200_000, 20) for number in range(1, 26)]

    assert 100 == pytest.approx(slope_bytes(leaking))
