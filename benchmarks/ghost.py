"""A ghost: the venue takes an order, withholds the answer and answers every question with 503 for half a minute.

What our journal held all that time, how soon after the first honest answer it was right, and what an unmodified ccxt
left its caller with.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from benchmarks.desk import SYMBOL, Seat
from tests.venue_process import VenueProcess
from trading_orchestrator.brokers.ccxt.broker import CcxtBroker
from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.brokers.ccxt.feed import CcxtFeed
from trading_orchestrator.brokers.port import OrderReport, Side, TradeReport
from trading_orchestrator.journal.leases import LeaseKeeper
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.kernel.config import build
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.trading.config import DeskConfig
from trading_orchestrator.trading.desk import Desk
from trading_orchestrator.trading.strategies.strategy import Strategy, StrategyParams, StrategyState, Wants

T = TypeVar("T")
GHOST_S = 30.0
SETTLE_S = 10.0
LOOK_EVERY_S = 0.02
PX = Decimal("1.09")
QTY = Decimal(20)
NEVER_TRUE = frozenset({"rejected", "canceled", "expired", "abandoned", "filled", "quarantined"})
FAULTS = (
    {"fault": "F1"},
    {"fault": "F12", "times": 1000},
    {"effect": "refuse", "call": "*.query", "status": 503, "code": -1000, "times": 100_000},
)
SWITCH = asyncio.Event()


class OnceParams(StrategyParams, frozen=True):
    """Nothing to choose."""


class OnceState(StrategyState):
    sent: bool = False


class Once(Strategy[OnceParams, OnceState]):
    """Rests one order once the faults are set."""

    def wants(self) -> Wants:
        return Wants(symbols=[SYMBOL], timer_s=0.05)

    def on_timer(self) -> None:
        if SWITCH.is_set() and not self.state.sent and self.quote(SYMBOL) is not None:
            self.state.sent = True
            self.submit(SYMBOL, Side.BUY, QTY, PX)


class HonestBroker(CcxtBroker):
    """Notes when the venue first answered a question again."""

    honest_s: float | None = None

    async def order(self, symbol: str, cl_ord_id: str) -> OrderReport:
        return self._noted(await super().order(symbol, cl_ord_id))

    async def open_orders(self, symbols: Sequence[str]) -> Sequence[OrderReport]:
        return self._noted(await super().open_orders(symbols))

    async def trades(
        self, symbol: str, *, after_id: str | None = None, since_ns: int | None = None
    ) -> Sequence[TradeReport]:
        return self._noted(await super().trades(symbol, after_id=after_id, since_ns=since_ns))

    def _noted(self, answer: T) -> T:
        self.honest_s = self.honest_s or time.monotonic()
        return answer


@dataclass
class Seen:
    """Every state that our journal held, with when it began."""

    states: list[tuple[float, str]] = field(default_factory=list)

    def note(self, state: str) -> None:
        if state and (not self.states or self.states[-1][1] != state):
            self.states.append((time.monotonic(), state))


def main() -> None:
    """Print both accounts of the same half minute."""
    asyncio.run(_both())


async def _both() -> None:
    await asyncio.gather(_with_the_venue(_ours), _with_the_venue(_ccxt_alone))


async def _with_the_venue(live: Callable[[VenueProcess, Path], Awaitable[str]]) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-ghost-") as name, _held_venue(Path(name)) as venue:
        print(await live(venue, Path(name)), flush=True)


@contextmanager
def _held_venue(folder: Path) -> Iterator[VenueProcess]:
    venue = VenueProcess.start_new(folder / "venue")
    try:
        venue.control("POST", "market", {"bid": "1.10000", "ask": "1.10010", "bid_qty": "1000", "ask_qty": "1000"})
        yield venue
    finally:
        venue.stop()


async def _ours(venue: VenueProcess, folder: Path) -> str:
    clock = SystemClock()
    store = await open_store(folder / "journal.db", clock=clock)
    config = CcxtConfig(api_key="demo-key", secret="demo-secret", urls={"api": venue.ccxt_urls()})
    client = CcxtClient(config, clock=clock)
    broker = HonestBroker(config, clock=clock, client=client)
    strategy = {"name": "once", "class": "benchmarks.ghost:Once"}
    settings = {"broker": "b", "symbols": [SYMBOL], "grace_s": 2.0, "strategies": [strategy]}
    feed = CcxtFeed(config, clock=clock, client=client)
    built = build(DeskConfig, settings, source="benchmark")
    desk = Desk("bench", built, store=store, node="bench", broker=broker, feed=feed, clock=clock)
    await desk.warm()
    held = await LeaseKeeper(store, clock, holder="bench").claim(desk.lease)
    await desk.take(Seat(held))
    _set_faults(venue)
    broker.honest_s = None
    SWITCH.set()
    seen = Seen()

    async def watch(seconds: float) -> None:
        ends_s = time.monotonic() + seconds
        while time.monotonic() < ends_s:
            rows = await store.rows("orders")
            seen.note(msgspec.json.decode(rows[0].value)["state"] if rows else "")
            await asyncio.sleep(LOOK_EVERY_S)

    await watch(GHOST_S)
    venue.control("DELETE", "faults")
    healed_s = time.monotonic()
    await watch(SETTLE_S)
    await desk.leave(1.0)
    await held.release()
    await desk.close()
    await store.close()
    return _verdict(seen, healed_s, broker.honest_s, _live_orders(venue))


def _verdict(seen: Seen, healed_s: float, honest_s: float | None, live: int) -> str:
    wrong = [state for _, state in seen.states if state in NEVER_TRUE]
    right_s = next((at_s for at_s, state in seen.states if state == "new"), None)
    said = " -> ".join(state for _, state in seen.states)
    if right_s is None or honest_s is None:
        return f"ours: {said}; NOT RIGHT within {SETTLE_S:g} s of the end of the ghost"
    return (
        f"ours: {said}; wrong states: {len(wrong)}; right {(right_s - honest_s) * 1e3:.0f} ms after the first honest "
        f"answer, {right_s - healed_s:.2f} s after the venue healed; live at the venue: {live}, known: {live}"
    )


async def _ccxt_alone(venue: VenueProcess, folder: Path) -> str:
    """As a program does that takes ccxt's exceptions at their word: it failed, so ask; nobody knows, so send again."""
    from ccxt import async_support
    from ccxt.base import errors

    options = {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False}
    options["fetchMargins"] = False
    exchange: Any = async_support.binance({"apiKey": "demo-key", "secret": "demo-secret", "options": options})
    exchange.urls["api"] = exchange.deep_extend(exchange.urls["api"], venue.ccxt_urls())
    try:
        await exchange.load_markets()
        _set_faults(venue)
        began_s = time.monotonic()
        told: list[str] = []

        def create(name: str) -> Awaitable[Any]:
            params = {"newClientOrderId": name}
            return exchange.create_order(SYMBOL, "limit", "buy", float(QTY), float(PX), params)  # type: ignore[no-any-return]

        steps: Sequence[tuple[str, Callable[[], Awaitable[Any]]]] = (
            ("create_order", lambda: create("first")),
            ("fetch_order", lambda: exchange.fetch_order(None, SYMBOL, {"origClientOrderId": "first"})),
            ("fetch_open_orders", lambda: exchange.fetch_open_orders(SYMBOL)),
            ("create_order again", lambda: create("second")),
        )
        for step, ask in steps:
            try:
                await ask()
                told.append(f"{step}: done")
            except errors.BaseError as error:
                told.append(f"{step}: {type(error).__name__} at {time.monotonic() - began_s:.1f} s")
        await asyncio.sleep(max(0.0, GHOST_S - (time.monotonic() - began_s)))
    finally:
        await exchange.close()
    return f"ccxt alone: {'; '.join(told)}; live at the venue: {_live_orders(venue)}, known to the caller: 1"


def _set_faults(venue: VenueProcess) -> None:
    venue.control("POST", "faults", list(FAULTS))


def _live_orders(venue: VenueProcess) -> int:
    (account,) = venue.control("GET", "state")["accounts"].values()
    return sum(order["status"] in ("NEW", "PARTIALLY_FILLED") for order in account["orders"])
