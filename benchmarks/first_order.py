"""How soon a system that starts has its first order acknowledged, and where the time goes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from tests.running_system import RunningSystem, wait_until

STARTS = 7
MARKS = """
SELECT min(at_ns) FILTER (WHERE kind = 'node.started'), min(at_ns) FILTER (WHERE kind = 'desk.reconciled'),
       min(at_ns) FILTER (WHERE kind = 'order.intended') FROM facts
"""
ACKED = """
SELECT min(told.at_ns) FROM facts told
WHERE told.kind IN ('order.accepted', 'trade.booked') AND (
  SELECT json_extract(CAST(body AS TEXT), '$.order.cl_ord_id') FROM facts WHERE kind = 'order.intended'
  ORDER BY pos LIMIT 1
) IN (json_extract(CAST(told.body AS TEXT), '$.report.cl_ord_id'),
      json_extract(CAST(told.body AS TEXT), '$.trade.cl_ord_id'))
"""
"""When the venue's answer to the very first order was written: an order that trades at once is told of by its trade."""


def measure(make: Callable[[int], RunningSystem]) -> None:
    """Start systems on empty journals, one after the other, and print what their first orders took."""
    starts = [_start(make(number)) for number in range(STARTS)]
    acked = [marks[-1] for _, marks in starts]
    print(
        f"exec of the trader -> first acknowledged order: median {median(acked):.2f} s, "
        f"{min(acked):.2f} to {max(acked):.2f} s in {STARTS} starts"
    )
    names = ("its first fact", "reconciled", "its first intent")
    until = [f"{name} {median(marks[at] for _, marks in starts):.2f} s" for at, name in enumerate(names)]
    print(f"  until {', '.join(until)}")
    whole = [before + marks[-1] for before, marks in starts]
    print(f"  from the command on: median {median(whole):.2f} s, {min(whole):.2f} to {max(whole):.2f} s")


def _start(system: RunningSystem) -> tuple[float, Sequence[float]]:
    """Return from the command to the exec of the trader, and from there to each mark, in seconds."""
    commanded_s = time.time()
    system.start()
    try:
        acked_ns = wait_until(lambda: _acked(system), within_s=30, what="the first order", every_s=0.25)
        pid, _ = system.wait_trading()
        began_s = exec_wall_s(pid)
        marks_s = [float(at_ns) / 1e9 for at_ns in (*system.query(MARKS)[0], acked_ns)]
    finally:
        system.stop()
    return began_s - commanded_s, [at_s - began_s for at_s in marks_s]


def _acked(system: RunningSystem) -> int:
    rows = system.query(ACKED)
    return int(rows[0][0] or 0) if rows else 0


def exec_wall_s(pid: int) -> float:
    """Return when a process began, by the wall clock, to a hundredth of a second.

    By the clock since boot, in which the kernel tells it: the time of the boot in /proc/stat is cut to whole seconds,
    and psutil's `create_time`, which adds it, is up to a second early.
    """
    ticks = int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19])
    ago_s = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - ago_s
