"""A strategy for chaos runs that loses its own timer when a file tells it to: the loop turns, and it does nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

from trading_orchestrator.trading.strategies.strategy import Strategy, StrategyParams, StrategyState, Wants


class StillParams(StrategyParams, frozen=True):
    """`when`: the file; it is gone when the strategy has seen it. `beats`: a file that grows with each tick."""

    symbol: str
    when: str
    beats: str


class StillState(StrategyState):
    """Nothing to remember."""


class Still(Strategy[StillParams, StillState]):
    """Cancels the task that calls it, as code does that cancels whatever is running."""

    def wants(self) -> Wants:
        return Wants(symbols=[self.params.symbol], timer_s=0.1)

    def on_timer(self) -> None:
        with Path(self.params.beats).open("a") as beats:
            beats.write(".")
        task = asyncio.current_task()
        if Path(self.params.when).exists() and task is not None:
            Path(self.params.when).unlink()
            task.cancel()
