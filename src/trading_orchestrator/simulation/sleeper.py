"""A strategy that places one order far from the market and never touches it: nobody stumbles on what befalls it."""

from __future__ import annotations

from decimal import Decimal

from trading_orchestrator.brokers.port import Side
from trading_orchestrator.errors import Refused
from trading_orchestrator.market.port import Quote
from trading_orchestrator.trading.strategies.strategy import Strategy, StrategyParams, StrategyState, Wants

TRIES_APART = 20
"""Quotes between two tries: while the symbol may only be reduced each of them is denied, with a fact."""


class SleeperParams(StrategyParams, frozen=True):
    """`px`: below every price of the market."""

    symbol: str
    px: Decimal


class SleeperState(StrategyState):
    """It keeps nothing."""


class Sleeper(Strategy[SleeperParams, SleeperState]):
    """Sees that one order rests."""

    quotes = 0

    def wants(self) -> Wants:
        return Wants(symbols=[self.params.symbol])

    def on_quote(self, quote: Quote) -> None:
        self.quotes += 1
        if self.quotes % TRIES_APART != 1 or self.orders():
            return
        try:
            self.submit(self.params.symbol, Side.BUY, Decimal(1), self.params.px)
        except Refused:
            return
