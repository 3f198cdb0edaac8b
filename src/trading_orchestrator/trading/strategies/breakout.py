"""A small trend follower for demonstrations: buys or sells a close beyond the last bars' range, and trails a stop.

It decides on closed bars and fills alone, so after a takeover it goes on exactly where it was. It is honest: in a
market without trend it loses a little with every false break, and pays its fees. It is not advice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import msgspec

from trading_orchestrator.brokers.port import Side, TradeReport
from trading_orchestrator.kernel.bounds import PositiveDecimal
from trading_orchestrator.kernel.money import ZERO, to_step
from trading_orchestrator.market.port import Bar
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.strategies.strategy import Strategy, StrategyParams, StrategyState, Wants


class BreakoutParams(StrategyParams, frozen=True):
    """How long a range must hold, how much is traded, and when it is given up.

    `qty`: size of each entry. `bar_s`: length of a bar. `range_bars`: a close above the highest high (below the lowest
    low) of so many bars before it is a break. `stop_ranges`: the stop lies this many mean bar ranges away from the
    best close since the entry, and is judged at each close: a spike within a bar does not stop it out, and a gap costs
    more than the stop says. `goes_short`: False trades upward breaks only.
    """

    symbol: str
    qty: PositiveDecimal
    bar_s: Annotated[int, msgspec.Meta(ge=1)] = 60
    range_bars: Annotated[int, msgspec.Meta(ge=2)] = 20
    stop_ranges: PositiveDecimal = Decimal(3)
    goes_short: bool = True


class BreakoutState(StrategyState):
    """What it holds by its own fills, and the best close since it holds it."""

    held_qty: Decimal = ZERO
    best_px: Decimal = ZERO


class Breakout(Strategy[BreakoutParams, BreakoutState]):
    """At most one order under way; in at a break, out at the stop, then ready for the next break."""

    bars: deque[Bar]

    def wants(self) -> Wants:
        return Wants(symbols=[self.params.symbol], bar_s=self.params.bar_s, warm_up_bars=self.params.range_bars)

    def warm_up(self, bars: Sequence[Bar]) -> None:
        self.bars = deque(bars, maxlen=self.params.range_bars)

    def on_bar(self, bar: Bar) -> None:
        before = list(self.bars)
        self.bars.append(bar)
        if self.state.held_qty:
            self._follow(bar.close_px, before)
        elif len(before) == self.params.range_bars and not self.orders():
            self._enter(bar.close_px, before)

    def on_fill(self, order: Order, trade: TradeReport) -> None:
        was_flat = not self.state.held_qty
        self.state.held_qty += trade.side.sign * trade.last_qty
        if was_flat:
            self.state.best_px = trade.last_px

    def _enter(self, close_px: Decimal, before: Sequence[Bar]) -> None:
        qty = to_step(self.params.qty, self.instrument(self.params.symbol).step_qty)
        if close_px > max(bar.high_px for bar in before):
            self.submit(self.params.symbol, Side.BUY, qty)
        elif self.params.goes_short and close_px < min(bar.low_px for bar in before):
            self.submit(self.params.symbol, Side.SELL, qty)

    def _follow(self, close_px: Decimal, before: Sequence[Bar]) -> None:
        """Move the stop with the best close, and leave at a close beyond it."""
        is_long = self.state.held_qty > ZERO
        self.state.best_px = max(self.state.best_px, close_px) if is_long else min(self.state.best_px, close_px)
        against_px = (self.state.best_px - close_px) * (1 if is_long else -1)
        if against_px > self.params.stop_ranges * _mean_range(before) and not self.orders():
            self.submit(self.params.symbol, Side.SELL if is_long else Side.BUY, abs(self.state.held_qty))


def _mean_range(bars: Sequence[Bar]) -> Decimal:
    return sum((bar.high_px - bar.low_px for bar in bars), ZERO) / len(bars) if bars else ZERO
