"""A node that records one tick every 50 ms and writes each second, until it is killed: `python -m … FILE`."""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.perpetual_operations.monitoring.config import HistoryConfig
from trading_orchestrator.perpetual_operations.monitoring.history.metrics_history import MetricsHistory

EVERY_S, FLUSH_S = 0.05, 1.0


async def main(path: Path) -> None:
    """Record for ever; print the number of each tick once it was handed over."""
    clock = SystemClock()
    history = MetricsHistory(HistoryConfig(flush_s=FLUSH_S), clock=clock, path=path, node="node")
    running = asyncio.create_task(history.run())
    for number in itertools.count():
        history.record(clock.wall_ns(), {"number": float(number)})
        print(number, flush=True)
        await asyncio.sleep(EVERY_S)
    await running


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
