"""A node that records in a process of its own: `python history_process.py FILE NODE FIRST COUNT`; 0 counts for ever.

Every write holds ten ticks a minute apart in two series, so that an hour ends at every sixth write and is sealed
there. Prints `open`, and then the number of the last tick of each write that returned.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from trading_orchestrator.perpetual_operations.monitoring.config import HistoryConfig
from trading_orchestrator.perpetual_operations.monitoring.history.pending import Ticks
from trading_orchestrator.perpetual_operations.monitoring.history.writer import HistoryWriter

MINUTE_NS = 60_000_000_000
START_NS = 1_700_000_000_000_000_000 // (60 * MINUTE_NS) * 60 * MINUTE_NS
TICKS = 10


def main(path: Path, node: str, first: int, count: int) -> None:
    """Write until killed, or `count` ticks."""
    writer = HistoryWriter(path, node, HistoryConfig())
    print("open", flush=True)
    for number in itertools.count(first, TICKS) if count == 0 else range(first, first + count, TICKS):
        numbers = range(number, number + TICKS)
        times = [START_NS + each * MINUTE_NS for each in numbers]
        writer.write([Ticks(("number", "root"), times, [(float(each), each**0.5) for each in numbers])])
        print(numbers[-1], flush=True)
        writer.keep_house(times[-1])
    writer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
