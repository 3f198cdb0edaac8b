"""Plays a path into a market in real time; speed compresses the path, never the stamps."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from trading_orchestrator.practice_venue.exchange import Exchange
from trading_orchestrator.practice_venue.market import Level, Market
from trading_orchestrator.practice_venue.prices.liquidity import Liquidity
from trading_orchestrator.practice_venue.prices.path import Path, Tick

FURTHEST_BEHIND_S = 1.0


@dataclass(frozen=True, slots=True)
class Held:
    """A market that a test holds still: its quotes stand until the next order from the control endpoint."""

    bid: Decimal
    ask: Decimal
    bid_qty: Decimal
    ask_qty: Decimal


class Replay:
    """Where the path stands follows from the time since `opened_ms`, so a restarted venue goes on, not back."""

    def __init__(
        self,
        exchange: Exchange,
        market: Market,
        path: Path,
        liquidity: Liquidity,
        *,
        speed: float | None,
        opened_ms: int,
        now_ms: Callable[[], int],
    ) -> None:
        self._exchange = exchange
        self._market = market
        self._path = path
        self._liquidity = liquidity
        self._speed = speed or path.default_speed
        self._index = path.index_at(max(0, now_ms() - opened_ms) / 1000 * self._speed)
        self.held: Held | None = None

    def start(self) -> None:
        """Put the first liquidity in, so that the market is open before the first request."""
        self._play(self._index)

    async def run(self) -> None:
        """Play for ever. After a pause (a stopped process, a slow host) it leaps instead of catching up."""
        loop = asyncio.get_running_loop()
        began_s = loop.time() - self._path.time_of(self._index) / self._speed
        while True:
            due_s = began_s + self._path.time_of(self._index + 1) / self._speed
            now_s = loop.time()
            if due_s > now_s:
                await asyncio.sleep(due_s - now_s)
                continue
            behind = now_s - due_s > FURTHEST_BEHIND_S
            self._index = self._path.index_at((now_s - began_s) * self._speed) if behind else self._index + 1
            if self.held is None:
                self._play(self._index)

    def hold(self, held: Held | None) -> None:
        """Hold the market at these quotes, or let it go on along its path."""
        self.held = held
        if held is None:
            self._play(self._index)
            return
        levels = {"BUY": [Level(held.bid, held.bid_qty)], "SELL": [Level(held.ask, held.ask_qty)]}
        self._exchange.replay_tick(self._market, levels, price=held.bid, qty=Decimal(0), sold=False)

    def _play(self, index: int) -> None:
        tick: Tick = self._path.tick(index)
        levels = self._liquidity.around(tick, index)
        qty = self._liquidity.traded_qty(tick, index)
        self._exchange.replay_tick(self._market, levels, price=tick.traded_price, qty=qty, sold=tick.seller_took)
