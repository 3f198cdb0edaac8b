"""A program that does nothing but alerts, for the benchmark: `python -m benchmarks.alerting_program DATA PORT HOOK`."""

from __future__ import annotations

import sys

import uvicorn
import uvloop
from fastapi import FastAPI

from trading_orchestrator.perpetual_operations import enable_perpetual_operations


async def main(data_dir: str, port: int, hook: str) -> None:
    """Serve until terminated; the last argument is where messages go."""
    app = FastAPI()
    alerts = {
        "default_rules": False,
        "route": {
            "receiver": "hook",
            "group_by": ["alertname"],
            "group_wait": 0,
            "routes": [
                {"matchers": ["alertname=Storm"], "group_wait": 3},
                {"matchers": ["alertname=Flood"], "group_wait": 3, "group_by": ["alertname", "host"]},
            ],
        },
        "receivers": {"hook": {"channels": ["hook"]}},
        "channels": {"hook": {"kind": "webhook", "url": hook, "budget_per_min": 0}},
    }
    await enable_perpetual_operations(app_config={"data_dir": data_dir, "alerts": alerts}, fastapi_app=app)
    await uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, access_log=False)).serve()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
