"""A start after a long absence: 10,000 open orders that traded 100,000 times meanwhile, until strategies may run."""

from __future__ import annotations

import asyncio
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from benchmarks.desk import Seat
from benchmarks.disk import fsyncs_per_s
from benchmarks.forgetful_venue import PX, SYMBOL, ForgetfulVenue
from trading_orchestrator.brokers.port import OrdType, Side
from trading_orchestrator.journal.leases import LeaseKeeper
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.config import build
from trading_orchestrator.kernel.garbage import collect_seldom
from trading_orchestrator.storage.sqlite import SqliteStore, open_store
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.desk import Desk
from trading_orchestrator.trading.strategies.strategy import Strategy, StrategyParams, StrategyState, Wants

ORDERS = 10_000
TRADES_EACH = 10
QTY = Decimal(20)
LEASE_TTL_S = 60.0
WITHIN_S = 600.0
SETTINGS = {
    "broker": "b",
    "symbols": [SYMBOL],
    "poll_trades_s": 60.0,
    "poll_orders_s": 30.0,
    "risk": {"max_orders_per_s": 1_000_000, "max_open_orders": 2 * ORDERS, "max_position_qty": 10**7},
    "strategies": [{"name": "filler", "class": "benchmarks.reconcile:Filler"}],
}


class FillerParams(StrategyParams, frozen=True):
    """Nothing to choose."""


class FillerState(StrategyState):
    sent: int = 0


class Filler(Strategy[FillerParams, FillerState]):
    """Rests a hundred orders with each quote until there are enough."""

    def wants(self) -> Wants:
        return Wants(symbols=[SYMBOL])

    def on_quote(self, quote: object) -> None:
        for _ in range(min(100, ORDERS - self.state.sent)):
            self.submit(SYMBOL, Side.BUY, QTY, PX - Decimal("0.01"), ord_type=OrdType.LIMIT)
            self.state.sent += 1


def main() -> None:
    """Print how long the start took."""
    with tempfile.TemporaryDirectory(prefix="bench-reconcile-") as name:
        print(f"disk: {fsyncs_per_s(Path(name)):,.0f} fsync/s")
        print(asyncio.run(_measure(Path(name))))


async def _measure(folder: Path) -> str:
    collect_seldom()  # as every node does
    clock, venue = SystemClock(), ForgetfulVenue(trades_kept=None)
    store = await open_store(folder / "journal.db", clock=clock)
    await _fill(store, venue)
    for _ in range(TRADES_EACH):
        for cl_ord_id in list(venue.open):
            venue.fill(cl_ord_id, Decimal(1))

    desk = _desk(store, venue, "heir")
    began_s = time.monotonic()
    await desk.warm()
    warm_s = time.monotonic() - began_s
    held = await LeaseKeeper(store, clock, holder="heir", ttl_s=LEASE_TTL_S).claim(desk.lease, dead_holder="filler")
    began_s, cpu_s = time.monotonic(), time.process_time()
    await desk.take(Seat(held))
    took_s, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
    booked = await _booked(store)
    await desk.leave(1.0)
    await held.release()
    await desk.close()
    await store.close()
    return (
        f"{ORDERS:,} open orders, {booked:,} trades booked: take {took_s:.1f} s ({cpu_s:.1f} s CPU), "
        f"folding the journal before it {warm_s:.1f} s"
    )


async def _fill(store: SqliteStore, venue: ForgetfulVenue) -> None:
    """Let a desk rest its orders, and die."""
    desk = _desk(store, venue, "filler")
    await desk.warm()
    keeper = LeaseKeeper(store, SystemClock(), holder="filler", ttl_s=LEASE_TTL_S)
    held = await keeper.claim(desk.lease)
    await desk.take(Seat(held))
    async with asyncio.timeout(WITHIN_S):
        while len(venue.open) < ORDERS:
            venue.show_quote()
            await asyncio.sleep(0.05)
    await desk.leave(5.0)
    await held.abandon()


def _desk(store: SqliteStore, venue: ForgetfulVenue, node: str) -> Desk:
    built = build(DeskConfig, SETTINGS, source="benchmark")
    return Desk("bench", built, store=store, node=node, broker=venue, feed=venue, clock=SystemClock())


async def _booked(store: SqliteStore) -> int:
    """Return how many trades the journal holds."""
    count, after_pos = 0, 0
    while page := await store.read(stream="desk/bench", after_pos=after_pos, limit=10_000, kinds=("trade.booked",)):
        count, after_pos = count + len(page), page[-1].pos
    return count
