"""Strategies for faults that the Buyer cannot meet."""

from __future__ import annotations

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
