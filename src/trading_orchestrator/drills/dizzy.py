"""A strategy with two mistakes that only a wild market shows: one computes for long, the other never ends."""

from __future__ import annotations

from decimal import Decimal

from trading_orchestrator.market.port import Quote
from trading_orchestrator.trading.strategies.strategy import Strategy, StrategyParams, StrategyState, Wants


class DizzyParams(StrategyParams, frozen=True):
    """From `slow_ratio` of spread on it keeps the loop for `busy_s`; from `endless_ratio` on it never returns."""

    symbol: str
    slow_ratio: Decimal
    endless_ratio: Decimal
    busy_s: float


class DizzyState(StrategyState):
    """Nothing to remember."""


class Dizzy(Strategy[DizzyParams, DizzyState]):
    """Never trades. One spread makes it busy once, however often it is quoted."""

    def on_start(self) -> None:
        self.met: tuple[Decimal, Decimal] | None = None

    def wants(self) -> Wants:
        return Wants(symbols=[self.params.symbol])

    def on_quote(self, quote: Quote) -> None:
        spread_ratio = (quote.ask_px - quote.bid_px) / quote.bid_px
        if spread_ratio < self.params.slow_ratio or (quote.bid_px, quote.ask_px) == self.met:
            return
        self.met = (quote.bid_px, quote.ask_px)
        until_ns = self.now_ns() + int(self.params.busy_s * 1e9)
        while spread_ratio >= self.params.endless_ratio or self.now_ns() < until_ns:
            pass
