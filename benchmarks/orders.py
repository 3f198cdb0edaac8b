"""The order path end to end: latency, start-up, takeover and memory of the running system."""

from __future__ import annotations

import os
import signal
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks import first_order
from benchmarks.disk import fsyncs_per_s
from tests.running_system import RunningSystem, wait_until
from tests.venue_process import VenueProcess

ACCOUNT = "demo:demo-key:demo-secret:EUR=100000000,USDT=100000000"
RATES = ((1, 0.1, "10"), (4, 0.02, "150"))
KILLS = 10
MEASURE_S = 8.0
ACKS = """
SELECT (json_extract(CAST(acked.body AS TEXT), '$.at_ns') - json_extract(CAST(sent.body AS TEXT), '$.at_ns')) / 1e6
FROM facts sent JOIN facts acked ON acked.pos = (
  SELECT min(told.pos) FROM facts told
  WHERE told.pos BETWEEN sent.pos AND sent.pos + 300 AND told.kind IN ('order.accepted', 'trade.booked')
   AND json_extract(CAST(sent.body AS TEXT), '$.order.cl_ord_id') IN (
    json_extract(CAST(told.body AS TEXT), '$.report.cl_ord_id'),
    json_extract(CAST(told.body AS TEXT), '$.trade.cl_ord_id')))
WHERE sent.kind = 'order.intended' AND sent.pos > ?
"""


def main() -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory(prefix="bench-orders-") as name:
        folder = Path(name)
        print(f"disk: {fsyncs_per_s(folder):,.0f} fsync/s; cores: {os.cpu_count()}")
        venue = VenueProcess.start_new(folder / "venue", account=[ACCOUNT], speed="300")
        try:
            first_order.measure(lambda number: _system(folder / f"start{number}", venue, 1, 0.02))
            for strategies, every_s, about in RATES:
                _latency(folder / f"rate{about}", venue, strategies, every_s)
            _takeovers(folder / "takeover", venue)
        finally:
            venue.stop()


def _latency(folder: Path, venue: VenueProcess, strategies: int, every_s: float) -> None:
    system = _system(folder, venue, strategies, every_s)
    system.start()
    try:
        system.wait_trading()
        time.sleep(1.0)
        pos, began = system.last_pos(), time.monotonic()
        time.sleep(MEASURE_S)
        took_ms = sorted(float(row[0]) for row in system.query(ACKS, pos))
        rate = len(took_ms) / (time.monotonic() - began)
        print(f"submit -> acknowledged, intent durable, {rate:.0f} orders/s: {_spread(took_ms)}")
        _memory(system, venue)
    finally:
        system.stop()


def _memory(system: RunningSystem, venue: VenueProcess) -> None:
    """Print what each process has to itself; the venue stands apart, for a real one runs elsewhere."""
    parts = [("keeper", system.pid), *((name, pid) for pid, name in system.nodes())]
    pss = [(name.partition("-")[0], _pss_mib(pid)) for name, pid in parts]
    said = f"{', '.join(f'{name} {mib:.0f}' for name, mib in pss)}, sum {sum(mib for _, mib in pss):.0f} MiB"
    print(f"memory (PSS): {said}; practice venue {_pss_mib(venue.pid):.0f} MiB")


def _pss_mib(pid: int) -> float:
    return float(psutil.Process(pid).memory_full_info().pss) / 2**20


def _takeovers(folder: Path, venue: VenueProcess) -> None:
    system = _system(folder, venue, 3, 0.02)
    system.start()
    took_ms = []
    try:
        for _ in range(KILLS):
            pid, node = system.wait_trading()
            wait_until(lambda node=node: system.orders_by(node) > 60, within_s=30, what="trading")  # type: ignore[misc]
            pos, killed_ns = system.last_pos(), time.time_ns()
            os.kill(pid, signal.SIGKILL)
            took_ms.append((_first_order(system, pos, node) - killed_ns) / 1e6)
    finally:
        system.stop()
    print(f"kill -9 -> first order of the successor, ms: {' '.join(f'{each:.0f}' for each in took_ms)}")
    print(f"  median {statistics.median(took_ms):.0f}, maximum {max(took_ms):.0f}")


def _first_order(system: RunningSystem, pos: int, dead: str) -> int:
    def look() -> int:
        rows = system.query(
            "SELECT min(at_ns) FROM facts WHERE pos > ? AND kind = 'order.intended' AND node <> ?", pos, dead
        )
        return int(rows[0][0] or 0)

    return wait_until(look, within_s=20, what="the successor's first order", every_s=0.05)


def _system(folder: Path, venue: VenueProcess, strategies: int, every_s: float) -> RunningSystem:
    folder.mkdir()
    return RunningSystem(folder, venue, strategies=strategies, every_s=every_s)


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "nothing was measured"
    at = [values[min(len(values) - 1, int(len(values) * share))] for share in (0.5, 0.99)]
    return f"p50 {at[0]:.2f} ms, p99 {at[1]:.2f} ms, maximum {values[-1]:.1f} ms, n {len(values)}"
