"""Memory over many orders: a desk, its journal on a RAM disk and a forgetful venue in one process; bytes an order.

`python -m benchmarks.memory 50000 --json` prints the samples; CI reads them (tests/integration/desk).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import tempfile
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from benchmarks.desk import Seat
from benchmarks.forgetful_venue import PX, SYMBOL, ForgetfulVenue, side_of
from trading_orchestrator.brokers.port import OrdType, Side
from trading_orchestrator.journal.leases import LeaseKeeper
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.config import build
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.desk import Desk
from trading_orchestrator.trading.strategies.strategy import Strategy, StrategyParams, StrategyState, Wants

BATCH = 40
SAMPLES = 25
STUCK_S = 30.0
LEASE_TTL_S = 60.0
"""On a starved machine a lease of three seconds would end in the middle: not what is measured here."""
WARM_SHARE = 0.4
"""Share of the run after which every bounded memory is full: what grows from there on grows for ever."""
SETTINGS = {
    "broker": "b",
    "symbols": [SYMBOL],
    "poll_trades_s": 1.0,
    "poll_orders_s": 1.0,
    "poll_overlap_s": 1.0,
    "compare_s": 5.0,
    "risk": {"max_orders_per_s": 1_000_000, "max_open_orders": 100, "max_position_qty": 10_000},
    "strategies": [{"name": "churn", "class": "benchmarks.memory:Churn"}],
}


class Sample(NamedTuple):
    """Resident bytes after so many orders, and what the venue holds open."""

    orders: int
    rss_bytes: int
    open_orders: int


class ChurnParams(StrategyParams, frozen=True):
    """Nothing to choose."""


class ChurnState(StrategyState):
    batches: int = 0


class Churn(Strategy[ChurnParams, ChurnState]):
    """With each quote: cancels what rests, then half a batch at the market and half a batch to rest."""

    def wants(self) -> Wants:
        return Wants(symbols=[SYMBOL])

    def on_quote(self, quote: object) -> None:
        for order in self.orders():
            self.cancel(order.cl_ord_id, "the next batch")
        for number in range(BATCH):
            if number < BATCH // 2:
                self.submit(SYMBOL, side_of(number), Decimal(10))
            else:
                self.submit(SYMBOL, Side.BUY, Decimal(10), PX - Decimal("0.01"), ord_type=OrdType.LIMIT)
        self.state.batches += 1


async def run(folder: Path, orders: int) -> Sequence[Sample]:
    """Trade so many orders and return what memory they took on the way."""
    clock, venue = SystemClock(), ForgetfulVenue(trades_kept=4_000)
    store = await open_store(folder / "journal.db", clock=clock, inline=True)
    built = build(DeskConfig, SETTINGS, source="benchmark")
    desk = Desk("bench", built, store=store, node="bench", broker=venue, feed=venue, clock=clock)
    await desk.warm()
    held = await LeaseKeeper(store, clock, holder="bench", ttl_s=LEASE_TTL_S).claim(desk.lease)
    await desk.take(Seat(held))
    samples, batches = [], orders // BATCH
    for batch in range(1, batches + 1):
        venue.show_quote()
        await _until_taken(venue, desk, batch * BATCH)
        if batch % max(1, batches // SAMPLES) == 0:
            samples.append(Sample(batch * BATCH, _rss_bytes(), len(venue.open)))
    await desk.leave(2.0)
    await desk.close()
    await held.release()
    await store.close()
    return samples


async def _until_taken(venue: ForgetfulVenue, desk: Desk, orders: int) -> None:
    """Return when the venue has all of them and the last batch's cancels are through."""
    ends_s = time.monotonic() + STUCK_S
    while venue.accepted < orders or len(venue.open) > BATCH // 2:
        await asyncio.sleep(0)
        if time.monotonic() > ends_s:
            raise RuntimeError(f"stuck at {venue.accepted:,} orders, {len(venue.open)} open: {desk.health().reason}")


def slope_bytes(samples: Sequence[Sample]) -> float:
    """Return bytes an order by least squares over the samples after the warm share."""
    late = samples[int(len(samples) * WARM_SHARE) :]
    mean_x = sum(each.orders for each in late) / len(late)
    mean_y = sum(each.rss_bytes for each in late) / len(late)
    above = sum((each.orders - mean_x) * (each.rss_bytes - mean_y) for each in late)
    return above / sum((each.orders - mean_x) ** 2 for each in late)


def _rss_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Print the slope over a million orders."""
    _measure(1_000_000, as_json=False, folder="/var/tmp")


def _measure(orders: int, *, as_json: bool, folder: str) -> None:
    began_s, cpu_s = time.monotonic(), time.process_time()
    with tempfile.TemporaryDirectory(prefix="bench-memory-", dir=folder) as name:
        samples = asyncio.run(run(Path(name), orders))
    took_s, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
    if as_json:
        print(json.dumps({"slope_bytes": slope_bytes(samples), "samples": samples}))
        return
    first, last = samples[0], samples[-1]
    print(
        f"{last.orders:,} orders in {took_s:.0f} s ({cpu_s:.0f} s CPU): {slope_bytes(samples):.1f} bytes an order; "
        f"resident {first.rss_bytes / 2**20:.0f} MiB after {first.orders:,}, {last.rss_bytes / 2**20:.0f} at the end"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("orders", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", default="/dev/shm")
    chosen = parser.parse_args()
    _measure(chosen.orders, as_json=chosen.json, folder=chosen.folder)
