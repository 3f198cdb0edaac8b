"""A practice venue as a real process, a journal on disk, and desks that reach both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.leases import holder_of
from tests.venue_process import VenueProcess
from trading_orchestrator.brokers.ccxt.broker import CcxtBroker
from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.brokers.ccxt.feed import CcxtFeed
from trading_orchestrator.journal.emergency_notes import EmergencyNotes
from trading_orchestrator.journal.leases import HeldLease, LeaseKeeper
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.config import build
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.storage.sqlite import SqliteStore, open_store
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.desk import Desk

ACCOUNT = "alice"
OPENING = Decimal(100_000)
SYMBOL = "EUR/USDT"
LOAD = {"qty": "50", "max_position_qty": "400", "requote_s": 0.02, "refresh_s": 0.05}


class Seat:
    """A held lease and how we came by it."""

    hung_in = ""

    def __init__(self, held: HeldLease, succession: Succession) -> None:
        self.held = held
        self.lease = held.lease
        self.epoch = held.epoch
        self.succession = succession

    def may_act(self) -> bool:
        return self.held.may_act()


class Floor:
    """The venue and the journal, and the desks that were opened on them."""

    def __init__(self, venue: VenueProcess, store: SqliteStore) -> None:
        self.venue = venue
        self.store = store
        self.clock = SystemClock()
        self.desks: list[Desk] = []
        self.held: list[HeldLease] = []

    def desk(
        self, strategy: str, params: dict[str, Any], *, notes: EmergencyNotes | None = None, **settings: Any
    ) -> Desk:
        """Return a new desk of the account with one strategy, reached over its own connections."""
        values = {
            "broker": "practice",
            "symbols": [SYMBOL],
            "grace_s": 2.0,
            "poll_trades_s": 1.0,
            "poll_orders_s": 1.0,
            "poll_overlap_s": 2.0,
            "quiet_s": 1.0,
            "risk": {"max_orders_per_s": 500},
            "strategies": [{"name": "s", "class": strategy, "params": params}],
        }
        config = CcxtConfig(api_key=f"{ACCOUNT}-key", secret=f"{ACCOUNT}-secret", urls={"api": self.venue.ccxt_urls()})
        client = CcxtClient(config, clock=self.clock)
        desk = Desk(
            "paper",
            build(DeskConfig, values | settings, source="test"),
            store=self.store,
            node=f"node-{len(self.desks)}",
            broker=CcxtBroker(config, clock=self.clock, client=client),
            feed=CcxtFeed(config, clock=self.clock, client=client),
            clock=self.clock,
            notes=notes,
        )
        self.desks.append(desk)
        return desk

    async def take(self, desk: Desk, succession: Succession = Succession.FIRST) -> None:
        """Seat the desk; whoever held the lease before is held to be dead."""
        keeper = LeaseKeeper(self.store, self.clock, holder=f"node-{len(self.held)}")
        held = await keeper.claim(desk.lease, dead_holder=await holder_of(self.store, desk.lease))
        self.held.append(held)
        await desk.take(Seat(held, succession))

    async def kinds(self) -> list[str]:
        return [fact.kind for fact in await self.store.read(stream="desk/paper", limit=100_000)]

    async def rows(self, projection: str) -> list[dict[str, Any]]:
        return [msgspec.json.decode(row.value) for row in await self.store.rows(projection, limit=10_000)]

    async def position_qty(self) -> Decimal:
        return sum((Decimal(row["qty"]) for row in await self.rows("positions")), Decimal(0))

    def venue_trades(self) -> list[dict[str, Any]]:
        return list(self.venue.account_state(ACCOUNT)["trades"])

    async def differences(self) -> list[str]:
        """Return what the venue and the journal do not agree on: trades, orders' filled quantities, position."""
        state = self.venue.account_state(ACCOUNT)
        booked = [row["trade_id"] for row in await self.rows("trades")]
        at_venue = [str(trade["id"]) for trade in state["trades"]]
        wrong = [f"trade {each} is booked {booked.count(each)} times" for each in at_venue if booked.count(each) != 1]
        wrong += [f"trade {each} is none of the venue's" for each in booked if each not in at_venue]
        rows = {row["cl_ord_id"]: row for row in await self.rows("orders")}
        for order in state["orders"]:
            row = rows.get(order["clientOrderId"])
            if row is None or Decimal(row["cum_qty"]) != Decimal(order["executedQty"]):
                wrong.append(f"order {order['clientOrderId']}: {order['executedQty']} filled, journal {row}")
        eur = state["balances"]["EUR"]
        held = Decimal(eur["free"]) + Decimal(eur["locked"])
        if held - OPENING != await self.position_qty():
            wrong.append(f"position: the venue {held - OPENING}, the journal {await self.position_qty()}")
        return wrong


@pytest.fixture
async def floor(tmp_path: Path) -> AsyncIterator[Floor]:
    account = f"{ACCOUNT}:{ACCOUNT}-key:{ACCOUNT}-secret:EUR={OPENING},USDT={OPENING}"
    venue = VenueProcess.start_new(tmp_path / "venue", account=[account], speed="2000")
    store = await open_store(tmp_path / "journal.db", clock=SystemClock())
    floor = Floor(venue, store)
    try:
        yield floor
    finally:
        for desk in floor.desks:
            await desk.close()
        for held in floor.held:
            await held.abandon()
        await store.close()
        venue.stop()


async def until(look: Callable[[], Awaitable[object]], *, within_s: float, what: str) -> None:
    """Return once `look` is true; fail naming what never came."""
    try:
        async with asyncio.timeout(within_s):
            while not await look():  # noqa: ASYNC110 - what is waited for is in a file, not in this loop
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"within {within_s} s never: {what}") from None
