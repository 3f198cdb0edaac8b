"""A strategy for chaos runs that ends the interpreter when a file tells it to, once for each time it is told."""

from __future__ import annotations

import os
from pathlib import Path

from trading_orchestrator.trading.strategies.strategy import Strategy, StrategyParams, StrategyState, Wants


class CrashingParams(StrategyParams, frozen=True):
    """`when`: the file; it is gone when the strategy has seen it."""

    symbol: str
    when: str


class CrashingState(StrategyState):
    """Nothing to remember."""


class Crashing(Strategy[CrashingParams, CrashingState]):
    """Takes the process with it, as a fault in a C extension does."""

    def wants(self) -> Wants:
        return Wants(symbols=[self.params.symbol], timer_s=0.05)

    def on_timer(self) -> None:
        if Path(self.params.when).exists():
            Path(self.params.when).unlink()
            os._exit(3)
