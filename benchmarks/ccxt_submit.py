"""Submit → answer through the broker to the practice venue on loopback, without any journal."""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import uvloop

from tests.venue_process import VenueProcess
from trading_orchestrator.brokers.ccxt.binance_spot import BinanceSpot
from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.brokers.ccxt.dialect import Dialect
from trading_orchestrator.brokers.ccxt.unified import Unified
from trading_orchestrator.brokers.port import NewOrder, OrdType, Side
from trading_orchestrator.kernel.clock import SystemClock


async def measure(dialect: Dialect, name: str, count: int) -> None:
    """Submit and cancel `count` resting orders and print what a submit took."""
    took_s, cpu_s = [], 0.0
    for number in range(count + 50):
        order = NewOrder(f"tx-{name}-{number}", "EUR/USDT", Side.BUY, OrdType.LIMIT, Decimal(10), Decimal("1.00000"))
        cpu, began = time.process_time(), time.perf_counter()
        await dialect.submit(order)
        if number >= 50:
            took_s.append(time.perf_counter() - began)
            cpu_s += time.process_time() - cpu
        await dialect.cancel(order.symbol, order.cl_ord_id)
    took_s.sort()
    p50, p99 = took_s[len(took_s) // 2], took_s[len(took_s) * 99 // 100]
    print(
        f"submit → answer, {name:8}: p50 {p50 * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms, "
        f"max {took_s[-1] * 1e3:.2f} ms, our CPU {cpu_s / count * 1e3:.2f} ms each, {count} orders"
    )


async def _run(count: int, profile: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        venue = VenueProcess.start_new(Path(folder))
        venue.control("POST", "market", {"bid": "1.10000", "ask": "1.10010", "bid_qty": "1000", "ask_qty": "1000"})
        config = CcxtConfig(api_key="demo-key", secret="demo-secret", urls={"api": venue.ccxt_urls()})
        client = CcxtClient(config, clock=SystemClock())
        try:
            await client.ready()
            await measure(BinanceSpot(client), "exact", count)
            await measure(Unified(client), "unified", count)
            if profile:
                with cProfile.Profile() as profiler:
                    await measure(BinanceSpot(client), "profiled", count)
                pstats.Stats(profiler).sort_stats("tottime").print_stats(30)
        finally:
            await client.close()
            venue.stop()


def main(argv: Sequence[str] = ()) -> None:
    """Print what one order costs through ccxt alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="uvloop")
    chosen = parser.parse_args(argv)
    if chosen.loop == "uvloop":
        uvloop.run(_run(chosen.count, chosen.profile))
    else:
        asyncio.run(_run(chosen.count, chosen.profile))


if __name__ == "__main__":
    main(sys.argv[1:])
