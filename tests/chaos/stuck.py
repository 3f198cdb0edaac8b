"""A strategy for chaos runs that keeps the loop for ever when a file tells it to, once for each time it is told."""

from __future__ import annotations

from pathlib import Path

from trading_orchestrator.trading.strategies.strategy import Strategy, StrategyParams, StrategyState, Wants


class StuckParams(StrategyParams, frozen=True):
    """`when`: the file; it is gone when the strategy has seen it."""

    symbol: str
    when: str


class StuckState(StrategyState):
    """Nothing to remember."""


class Stuck(Strategy[StuckParams, StuckState]):
    """Never returns from the call that finds the file."""

    def wants(self) -> Wants:
        return Wants(symbols=[self.params.symbol], timer_s=0.05)

    def on_timer(self) -> None:
        if Path(self.params.when).exists():
            Path(self.params.when).unlink()
            while True:
                pass
