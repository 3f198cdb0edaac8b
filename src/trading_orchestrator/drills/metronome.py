"""A strategy for drills: decides at every tick of its timer, whatever the market does."""

from __future__ import annotations

from decimal import Decimal

from trading_orchestrator.brokers.port import OrdType, Side
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.money import to_tick
from trading_orchestrator.trading.strategies.strategy import Strategy, StrategyParams, StrategyState, Wants


class MetronomeParams(StrategyParams, frozen=True):
    """`every_s`: between decisions; `qty`: of each order."""

    symbol: str
    qty: Decimal
    every_s: float


class MetronomeState(StrategyState):
    """How many decisions were made: the next one follows from it alone."""

    decided: int = 0


class Metronome(Strategy[MetronomeParams, MetronomeState]):
    """In turn: a buy and a sell that fill at once, and one that rests until the next tick cancels it."""

    def wants(self) -> Wants:
        return Wants(symbols=[self.params.symbol], timer_s=self.params.every_s)

    def on_timer(self) -> None:
        quote = self.quote(self.params.symbol)
        if quote is None:
            return
        for order in self.orders():
            self.cancel(order.cl_ord_id, "the next beat")
        beat = self.state.decided % 3
        try:
            if beat == 2:
                tick = self.instrument(self.params.symbol).tick_px
                px = to_tick(quote.bid_px * Decimal("0.999"), tick)
                self.submit(self.params.symbol, Side.BUY, self.params.qty, px, ord_type=OrdType.LIMIT)
            else:
                self.submit(self.params.symbol, Side.BUY if beat == 0 else Side.SELL, self.params.qty)
        except Refused:
            return
        self.state.decided += 1
