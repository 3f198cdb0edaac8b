"""Strategies for faults that the Buyer cannot meet."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import msgspec

from trading_orchestrator.brokers.port import Side
from trading_orchestrator.market.port import Quote
from trading_orchestrator.trading.strategies.strategy import Strategy, StrategyParams, StrategyState, Wants


class PairParams(StrategyParams, frozen=True):
    """`symbols`: each is bought once."""

    symbols: list[str]


class PairState(StrategyState):
    """Which symbols were bought."""

    bought: list[str] = msgspec.field(default_factory=list)


class PairBuyer(Strategy[PairParams, PairState]):
    """Buys ten of each symbol at its first quote."""

    def wants(self) -> Wants:
        return Wants(symbols=self.params.symbols)

    def on_quote(self, quote: Quote) -> None:
        if quote.symbol not in self.state.bought:
            self.submit(quote.symbol, Side.BUY, self.instrument(quote.symbol).step_qty * 100)
            self.state.bought.append(quote.symbol)


class HoarderParams(StrategyParams, frozen=True):
    """`mib`: taken at each call of the timer and never given back, until the process has `most_mib` of its own."""

    symbol: str
    mib: int
    most_mib: int = 1 << 20


class Hoarder(Strategy[HoarderParams, StrategyState]):
    """Sends an order a call, and leaks."""

    State = StrategyState

    def wants(self) -> Wants:
        self.hoard: list[bytes] = []
        return Wants(symbols=[self.params.symbol], timer_s=0.03)

    def on_timer(self) -> None:
        if self.quote(self.params.symbol) is not None:
            self.submit(self.params.symbol, Side.BUY, self.instrument(self.params.symbol).step_qty * 100)
        if resident_bytes(os.getpid()) < self.params.most_mib << 20:
            self.hoard.append(b"\x01" * (self.params.mib << 20))  # written to, so that it is really there


def resident_bytes(pid: int) -> int:
    """Return how much memory of its own a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * mmap.PAGESIZE
