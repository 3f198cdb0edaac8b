"""A strategy for chaos runs that keeps the loop for ever, once it has been called often enough in one process."""

from __future__ import annotations

from trading_orchestrator.trading.strategies.strategy import Strategy, StrategyParams, StrategyState, Wants


class StuckParams(StrategyParams, frozen=True):
    """`after`: so many calls of its timer go well."""

    symbol: str
    after: int


class StuckState(StrategyState):
    """Nothing: what it counts is its own process's."""


class Stuck(Strategy[StuckParams, StuckState]):
    """Never returns from the call that follows `after` good ones."""

    calls = 0

    def wants(self) -> Wants:
        return Wants(symbols=[self.params.symbol], timer_s=0.05)

    def on_timer(self) -> None:
        self.calls += 1
        while self.calls > self.params.after:
            pass
