"""A small price service that the shop depends on: one process, one answer, and it can be killed."""
# ruff: noqa: INP001  # a script to copy from, not a package

from __future__ import annotations

import argparse

import uvicorn
from fastapi import FastAPI

app = FastAPI()
PRICES = {"apple": "0.40", "pear": "0.55"}


@app.get("/prices/{thing}")
async def price(thing: str) -> dict[str, str | None]:
    """The price of a thing, or null."""
    return {"price": PRICES.get(thing)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8091)
    uvicorn.run(app, host="127.0.0.1", port=parser.parse_args().port, log_level="warning")
