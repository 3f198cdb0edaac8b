"""A shop with a database of its own and a price service that dies: operations find it, repair it, report it.

.venv/bin/python examples/shop.py          then open http://127.0.0.1:8080/dashboard
pkill -9 -f quote_service.py               the price service dies
curl -s http://127.0.0.1:8080/api/incidents
"""
# ruff: noqa: INP001  # a script to copy from, not a package

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import httpx2
import uvicorn
from fastapi import FastAPI

from trading_orchestrator.errors import Transient
from trading_orchestrator.kernel.component import Health, HealthState
from trading_orchestrator.perpetual_operations import (
    Deadline,
    Ladder,
    RetryBudget,
    Step,
    enable_perpetual_operations,
    retried,
)
from trading_orchestrator.perpetual_operations.recovery.auto_recovery_manager import Failure


class SalesDatabase:
    """The shop's own database, as connections that a pool can open, ping and close."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def open(self) -> apsw.Connection:
        connection = apsw.Connection(str(self._path))
        connection.execute("CREATE TABLE IF NOT EXISTS sales (thing TEXT, price TEXT)")
        return connection

    async def ping(self, connection: apsw.Connection) -> None:
        connection.execute("SELECT 1").fetchone()

    async def close(self, connection: apsw.Connection) -> None:
        connection.close()


class QuoteService:
    """The price service: a process beside us that we can start, ask, and start again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._process: asyncio.subprocess.Process | None = None
        self._client = httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=1.0)

    async def start(self) -> None:
        script = str(Path(__file__).with_name("quote_service.py"))
        self._process = await asyncio.create_subprocess_exec(sys.executable, script, "--port", str(self._port))

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        await self._client.aclose()

    async def price(self, thing: str) -> str:
        try:
            answer = await self._client.get(f"/prices/{thing}")
        except httpx2.HTTPError as error:
            raise Transient(f"the price service does not answer: {type(error).__name__}") from error
        return str(answer.raise_for_status().json()["price"])

    async def probe(self) -> Health:
        await self.price("apple")
        return Health(HealthState.HEALTHY, "answers")

    async def start_again(self, failure: Failure) -> str:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        await self.start()
        return "started the price service anew"


def shop(data_dir: Path, quotes_port: int) -> FastAPI:
    """Return the program."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        quotes = app.state.quotes = QuoteService(quotes_port)
        await quotes.start()
        await enable_perpetual_operations(app_config={"data_dir": data_dir}, fastapi_app=app)
        operations = app.state.perpetual_operations
        app.state.sales = operations.add_pool("sales", SalesDatabase(data_dir / "sales.db"))
        app.state.circuit = operations.add_dependency("quotes", quotes.probe, depends_on=["pool/sales"])
        app.state.retries = RetryBudget()  # shared by all buyers: retries never become the outage
        operations.add_recovery_action("start_quotes", quotes.start_again)
        operations.add_ladder(Ladder(failure="quotes.down", parts=("dependency/quotes",), steps=(RESTART,)))
        try:
            yield
        finally:
            await quotes.stop()

    app = FastAPI(lifespan=lifespan)

    @app.post("/buy/{thing}")
    async def buy(thing: str) -> dict[str, str]:
        """Sell one thing at the present price."""
        clock = app.state.perpetual_operations.clock

        async def ask() -> str:
            async with app.state.circuit.call():
                return str(await app.state.quotes.price(thing))

        within = Deadline(clock, BUYER_WAITS_S, what="the price")
        price = await retried(ask, budget=app.state.retries, deadline=within, clock=clock)
        async with app.state.sales.use() as database:
            database.execute("INSERT INTO sales VALUES (?, ?)", (thing, price))
        return {"thing": thing, "price": price}

    return app


BUYER_WAITS_S = 3.0
RESTART = Step(action="start_quotes", proof_s=10, tries=3)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--quotes-port", type=int, default=8091)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    options = parser.parse_args()
    uvicorn.run(shop(options.data_dir, options.quotes_port), host="127.0.0.1", port=options.port)
