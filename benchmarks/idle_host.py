"""A FastAPI program that does nothing but measure how late its loop comes: `python idle_host.py with|without DIR S`.

After WARM_S it prints one JSON line with the CPU it used, its memory, and the lateness of every short sleep since.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import psutil
import uvicorn
from fastapi import FastAPI

WARM_S = 20.0
SLEEP_S = 0.005
NOTHING_SHED = {"host_cpu_ratio": 1.0, "loop_lag_s": 3600.0}  # on a busy host it would cost less than it does


async def main(which: str, folder: str, measure_s: float) -> None:
    """Serve on a free port, wait until start-up is over, measure, and end."""
    app = FastAPI()
    if which == "with":
        from trading_orchestrator.perpetual_operations import enable_perpetual_operations

        config = {"data_dir": str(Path(folder) / "data"), "perpetual_operations": {"resources": NOTHING_SHED}}
        await enable_perpetual_operations(config, app)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    serving = asyncio.create_task(server.serve())
    await asyncio.sleep(WARM_S)
    process = psutil.Process()
    began, began_cpu = time.monotonic(), process.cpu_times()
    late_ms = []
    while time.monotonic() - began < measure_s:
        before = time.perf_counter()
        await asyncio.sleep(SLEEP_S)
        late_ms.append((time.perf_counter() - before - SLEEP_S) * 1e3)
    used, took_s = process.cpu_times(), time.monotonic() - began
    cpu_s = used.user + used.system - began_cpu.user - began_cpu.system
    memory = process.memory_full_info()
    late_ms.sort()
    said = {"cpu_ratio": cpu_s / took_s, "uss": memory.uss, "pss": memory.pss, "rss": memory.rss,
            "late_p50_ms": late_ms[len(late_ms) // 2], "late_p99_ms": late_ms[len(late_ms) * 99 // 100],
            "late_max_ms": late_ms[-1]}  # fmt: skip
    print(json.dumps(said), flush=True)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
