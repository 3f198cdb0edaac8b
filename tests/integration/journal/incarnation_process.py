"""A node that only lives: `python incarnation_process.py DIRECTORY NODE [child]` says "held" and beats until killed.

With `child` it first starts a process that outlives it, to show that no lock is inherited.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from trading_orchestrator.journal.incarnation import Incarnation, NodeAlive
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.boot_id import read_boot_id


async def live(directory: Path, node: str, child: bool) -> None:
    clock = SystemClock()
    try:
        incarnation = Incarnation.hold(directory, node, clock=clock, boot_id=read_boot_id())
    except NodeAlive as alive:
        print(alive.code, alive.facts["pid"], flush=True)
        return
    incarnation.now_running("warming_up")
    incarnation.now_running("ema_cross")
    if child:
        outlives = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        print(outlives.pid, flush=True)
    print("held", flush=True)
    while True:
        incarnation.beat()
        await clock.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), sys.argv[2], "child" in sys.argv))
