"""The practice venue as a real process, and our broker and feed on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.venue_process import VenueProcess
from trading_orchestrator.brokers.ccxt.broker import CcxtBroker
from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.brokers.ccxt.feed import CcxtFeed
from trading_orchestrator.brokers.port import Broker
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.market.port import Feed

SYMBOL = "EUR/USDT"
ACCOUNT = "alice"


def hold(venue: VenueProcess, bid: str = "1.10000", ask: str = "1.10010", qty: str = "1000") -> None:
    """Hold the market still, so that a test knows what trades."""
    venue.control("POST", "market", {"bid": bid, "ask": ask, "bid_qty": qty, "ask_qty": qty})


def config_for(venue: VenueProcess, **settings: Any) -> CcxtConfig:
    return CcxtConfig(api_key=f"{ACCOUNT}-key", secret=f"{ACCOUNT}-secret", urls={"api": venue.ccxt_urls()}, **settings)


def accepted(venue: VenueProcess, cl_ord_id: str) -> int:
    """Return how many orders with the id the venue's own log holds."""
    return sum(fact["client_order_id"] == cl_ord_id for fact in venue.log("order.accepted"))


@pytest.fixture(scope="module")
def shared_venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueProcess]:
    """One venue a file; use `venue`, which heals it before each test."""
    accounts = [f"{ACCOUNT}:{ACCOUNT}-key:{ACCOUNT}-secret:EUR=100000,USDT=100000"]
    process = VenueProcess.start_new(tmp_path_factory.mktemp("venue"), account=accounts)
    yield process
    process.stop()


@pytest.fixture
def venue(shared_venue: VenueProcess) -> VenueProcess:
    """The venue without faults and open orders, its market held at 1.10000 / 1.10010 with 1000 a side."""
    shared_venue.control("DELETE", "faults")
    for order in shared_venue.account_state(ACCOUNT)["orders"]:
        if order["status"] in ("NEW", "PARTIALLY_FILLED"):
            shared_venue.control("DELETE", f"orders/{order['orderId']}")
    hold(shared_venue)
    return shared_venue


@pytest.fixture
def own_venue(tmp_path: Path) -> Iterator[VenueProcess]:
    """A venue that the test may stop, freeze and start again."""
    accounts = [f"{ACCOUNT}:{ACCOUNT}-key:{ACCOUNT}-secret:EUR=100000,USDT=100000"]
    process = VenueProcess.start_new(tmp_path / "venue", account=accounts)
    hold(process)
    yield process
    process.stop()


@pytest.fixture
async def broker(venue: VenueProcess) -> AsyncIterator[CcxtBroker]:
    broker = CcxtBroker(config_for(venue), clock=SystemClock())
    await broker.connect()
    yield broker
    await broker.close()


class Desk:
    """Broker and feed on one client, with what their streams said."""

    def __init__(self, venue: VenueProcess, **settings: Any) -> None:
        config, clock = config_for(venue, **settings), SystemClock()
        self.client = CcxtClient(config, clock=clock)
        self.broker: Broker = CcxtBroker(config, clock=clock, client=self.client)
        self.feed: Feed = CcxtFeed(config, clock=clock, client=self.client)
        self.reports: list[Any] = []
        self.prices: list[Any] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()

    async def open(self) -> None:
        await self.broker.connect()
        self._tasks = [
            asyncio.create_task(self._read(self.broker.reports(), self.reports)),
            asyncio.create_task(self._read(self.feed.events([SYMBOL]), self.prices)),
        ]

    async def until(self, holds: Callable[[], bool], within_s: float = 15.0) -> None:
        """Return when `holds` holds, asked after each report or price."""
        async with asyncio.timeout(within_s):
            while not holds():
                self._news.clear()
                await self._news.wait()

    async def until_prices(self, venue: VenueProcess) -> None:
        """Move the held market until the feed shows something that it had not shown before."""
        before, clock = len(self.prices), SystemClock()
        for step in range(600):
            if len(self.prices) > before:
                return
            hold(venue, bid=f"1.0{step:04}", ask="1.10010")
            await clock.sleep(0.05)
        raise TimeoutError("the feed shows no prices")

    async def close(self) -> None:
        await self.broker.close()
        await asyncio.gather(*self._tasks)

    async def _read(self, items: AsyncIterator[Any], into: list[Any]) -> None:
        async for item in items:
            into.append(item)
            self._news.set()


@pytest.fixture
async def make_desk() -> AsyncIterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def make(venue: VenueProcess, **settings: Any) -> Desk:
        desks.append(Desk(venue, **settings))
        return desks[-1]

    yield make
    for desk in desks:
        await desk.close()
