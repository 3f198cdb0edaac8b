"""A FastAPI program with operations inside: five lines, then http://127.0.0.1:8080/dashboard shows it."""
# ruff: noqa: INP001  # a script to copy from, not a package

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from trading_orchestrator.perpetual_operations import enable_perpetual_operations


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    success = await enable_perpetual_operations(app_config={"data_dir": "data"}, fastapi_app=app)
    assert success
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def hello() -> dict[str, str]:
    """The program's own business goes on as before."""
    return {"hello": "world", "dashboard": "/dashboard"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=8080)
