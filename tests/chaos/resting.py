"""A strategy for chaos runs with a few orders that rest far from the market, so that a kill switch has work."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from trading_orchestrator.brokers.port import OrdType, Side
from trading_orchestrator.kernel.money import to_tick
from trading_orchestrator.market.port import Quote
from trading_orchestrator.trading.strategies.strategy import Strategy, StrategyParams, StrategyState, Wants


class RestingParams(StrategyParams, frozen=True):
    """`orders`: how many, placed once. `cancel_when`: the file at whose sight they are canceled, "" for never."""

    symbol: str
    orders: int
    cancel_when: str = ""


class RestingState(StrategyState):
    """How many were placed."""

    placed: int = 0


class Resting(Strategy[RestingParams, RestingState]):
    """Buys at three hundredths below the market, and cancels when it is told to."""

    def wants(self) -> Wants:
        return Wants(symbols=[self.params.symbol], timer_s=0.02 if self.params.cancel_when else None)

    def on_quote(self, quote: Quote) -> None:
        while self.state.placed < self.params.orders:
            self.state.placed += 1
            px = to_tick(quote.bid_px * Decimal("0.97"), self.instrument(self.params.symbol).tick_px)
            self.submit(self.params.symbol, Side.BUY, Decimal(20), px, ord_type=OrdType.LIMIT)

    def on_timer(self) -> None:
        if Path(self.params.cancel_when).exists():
            for order in self.orders():
                self.cancel(order.cl_ord_id, "it is told to")
