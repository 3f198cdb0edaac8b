"""One desk in this process against the practice venue: how long a take lasts, and an order until it is acknowledged."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import uvloop

from benchmarks.disk import fsyncs_per_s
from tests.venue_process import VenueProcess
from trading_orchestrator.brokers.ccxt.broker import CcxtBroker
from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.brokers.ccxt.feed import CcxtFeed
from trading_orchestrator.brokers.port import NewOrder, OrderReport, Side
from trading_orchestrator.journal.leases import HeldLease, LeaseKeeper
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.config import build
from trading_orchestrator.kernel.tenancy import Succession
from trading_orchestrator.storage.sqlite import SqliteStore, open_store
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.desk import Desk
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.strategies.strategy import Strategy, StrategyParams, StrategyState, Wants

SYMBOL = "EUR/USDT"
EVERY_S = (0.02, 0.005)
MEASURE_S = 6.0
DECIDED_S: dict[str, float] = {}


class ProbeParams(StrategyParams, frozen=True):
    every_s: float


class ProbeState(StrategyState):
    """Nothing to remember."""


class Probe(Strategy[ProbeParams, ProbeState]):
    """Places an order far below the market at every tick of its timer, and cancels it once it is acknowledged."""

    def wants(self) -> Wants:
        return Wants(symbols=[SYMBOL], timer_s=self.params.every_s)

    def on_timer(self) -> None:
        quote = self.quote(SYMBOL)
        if quote is not None:
            decided_s = time.perf_counter()
            DECIDED_S[self.submit(SYMBOL, Side.BUY, Decimal(20), quote.bid_px - Decimal("0.001"))] = decided_s

    def on_order(self, order: Order) -> None:
        self.cancel(order.cl_ord_id)


class TimedBroker(CcxtBroker):
    """Notes how long after its decision an order's answer was there."""

    took_ms: list[float]

    async def submit(self, order: NewOrder) -> OrderReport:
        report = await super().submit(order)
        self.took_ms.append((time.perf_counter() - DECIDED_S.pop(order.cl_ord_id)) * 1e3)
        return report


class Seat:
    """A held lease that nobody had before."""

    succession = Succession.FIRST
    hung_in = ""

    def __init__(self, held: HeldLease) -> None:
        self.lease, self.epoch, self.may_act = held.lease, held.epoch, held.may_act


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="bench-desk-") as name:
        folder = Path(name)
        print(f"disk: {fsyncs_per_s(folder):,.0f} fsync/s")
        venue = VenueProcess.start_new(folder / "venue")
        try:
            uvloop.run(_measure_all(folder, venue))
        finally:
            venue.stop()


async def _measure_all(folder: Path, venue: VenueProcess) -> None:
    store = await open_store(folder / "journal.db", clock=SystemClock())
    for every_s in EVERY_S:
        await _measure(store, venue, every_s)
    await store.close()


async def _measure(store: SqliteStore, venue: VenueProcess, every_s: float) -> None:
    clock = SystemClock()
    config = CcxtConfig(api_key="demo-key", secret="demo-secret", urls={"api": venue.ccxt_urls()})
    client = CcxtClient(config, clock=clock)
    broker = TimedBroker(config, clock=clock, client=client)
    broker.took_ms = []
    strategy = {"name": "probe", "class": "benchmarks.desk:Probe", "params": {"every_s": every_s}}
    settings = {"broker": "b", "symbols": [SYMBOL], "risk": {"max_orders_per_s": 1000}, "strategies": [strategy]}
    desk = Desk(
        "bench",
        build(DeskConfig, settings, source="benchmark"),
        store=store,
        node="bench",
        broker=broker,
        feed=CcxtFeed(config, clock=clock, client=client),
        clock=clock,
    )
    await desk.warm()
    held = await LeaseKeeper(store, clock, holder=f"bench {every_s}").claim(desk.lease)
    began_s = time.perf_counter()
    await desk.take(Seat(held))
    take_ms = (time.perf_counter() - began_s) * 1e3
    await asyncio.sleep(MEASURE_S)
    await desk.leave(2.0)
    await held.release()
    await desk.close()
    rate = len(broker.took_ms) / MEASURE_S
    print(f"take {take_ms:.1f} ms; decision -> durable -> answer at {rate:.0f} orders/s: {_spread(broker.took_ms)}")


def _spread(values: Sequence[float]) -> str:
    at = sorted(values)
    p50, p99 = at[len(at) // 2], at[int(len(at) * 0.99)]
    return f"p50 {p50:.2f} ms, p99 {p99:.2f} ms, maximum {at[-1]:.1f} ms, n {len(at)}"


if __name__ == "__main__":
    main()
