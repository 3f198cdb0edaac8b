"""A writer in a process of its own: `python writer_process.py JOURNAL FIRST COUNT [PAUSE_S]`; 0 counts for ever.

Appends numbers to the stream `cluster` and prints one line per acknowledged fact: its number, pos, and the
clock since boot when the acknowledgement came.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.ports import NewFact
from trading_orchestrator.storage.sqlite import open_store


async def write(path: Path, first: int, count: int, pause_s: float) -> None:
    clock = SystemClock()
    store = await open_store(path, clock=clock)
    print("open", flush=True)
    for number in itertools.count(first) if count == 0 else range(first, first + count):
        body = {"number": number, "sent_ns": clock.boot_ns()}
        facts = await store.append([NewFact("cluster", "number.counted", body)], node="child", fence=None)
        print(number, facts[0].pos, clock.boot_ns(), flush=True)
        await clock.sleep(pause_s)
    await store.close()


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float((*sys.argv[4:], "0")[0])))
