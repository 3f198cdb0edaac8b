"""A FastAPI program with operations inside, served on loopback, for tests that talk to its alerts."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI

from trading_orchestrator.perpetual_operations import enable_perpetual_operations
from trading_orchestrator.perpetual_operations.alerts.runtime import AlertsRuntime


@asynccontextmanager
async def program(data_dir: Path, alerts: Mapping[str, Any]) -> AsyncIterator[tuple[str, AlertsRuntime]]:
    """Serve the program; yield its address and its alerts once they hold their lease."""
    app = FastAPI()
    own = dict(alerts) if "path" in alerts else {"default_rules": False, **alerts}
    config = {"data_dir": str(data_dir), "alerts": own}
    await enable_perpetual_operations(app_config=config, fastapi_app=app)
    runtime: AlertsRuntime = app.state.perpetual_operations.alerts()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        await _started(url)
        yield url, runtime
        server.should_exit = True
        await serving


async def _started(url: str) -> None:
    for _ in range(1000):
        if await _tells(url):
            return
        await asyncio.sleep(0.02)  # another task starts; nothing can be awaited for it
    raise TimeoutError("in 20 s the program told of no alerts")


async def _tells(url: str) -> bool:
    async with httpx2.AsyncClient(base_url=url) as client:
        try:
            return (await client.get("/api/alerts")).status_code == 200
        except httpx2.HTTPError:
            return False
