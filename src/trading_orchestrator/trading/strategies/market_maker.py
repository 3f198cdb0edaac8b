"""A small market maker for demonstrations: quotes both sides around the mid, leans against its inventory.

It is honest: it earns the spread when price comes back and loses when price runs away, and pays its fees.
Expect a slow loss on a venue with fees and a tight spread. It is not advice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import msgspec

from trading_orchestrator.brokers.port import OrdType, Side, TradeReport
from trading_orchestrator.kernel.bounds import FiniteDecimal, PositiveDecimal
from trading_orchestrator.kernel.money import ZERO, to_step, to_tick
from trading_orchestrator.market.port import Bar, Quote
from trading_orchestrator.trading.orders.order import Order
from trading_orchestrator.trading.strategies.strategy import Strategy, StrategyParams, StrategyState, Wants

Ticks = Annotated[int, msgspec.Meta(ge=0)]


class MarketMakerParams(StrategyParams, frozen=True):
    """How wide, how much, how often.

    `qty`: size of each order. `max_position_qty`: at this inventory, either way from where the desk opened, the side
    that would add to it is not quoted. `half_spread_ticks`: least distance of each quote from the mid (1: about at the
    touch of a tight market). `range_share`: the distance grows to this share of the mean high-low range of the last
    `range_bars` bars, so that it steps back from a fast market. `lean_ticks`: how far both quotes move away from a full
    inventory. `requote_ticks`: a resting order is moved only when it is that far off. `requote_s`: least time between
    two orders of one side; 0.5 is easy to watch. `refresh_s`: a resting order this old is replaced even if it stands
    right (None: never); with `requote_s` it sets the load: both at 0.02 make about 60 orders a second.
    """

    symbol: str
    qty: PositiveDecimal
    max_position_qty: PositiveDecimal
    half_spread_ticks: Ticks = 1
    range_share: FiniteDecimal = ZERO
    lean_ticks: Ticks = 2
    requote_ticks: Annotated[int, msgspec.Meta(ge=1)] = 1
    requote_s: Annotated[float, msgspec.Meta(ge=0)] = 0.5
    refresh_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    bar_s: Annotated[int, msgspec.Meta(ge=1)] = 60
    range_bars: Annotated[int, msgspec.Meta(ge=1)] = 20


class MarketMakerState(StrategyState):
    """Its own book-keeping: what it bought and sold, and for how much."""

    bought_qty: Decimal = ZERO
    sold_qty: Decimal = ZERO
    paid: Decimal = ZERO
    received: Decimal = ZERO

    @property
    def inventory_qty(self) -> Decimal:
        return self.bought_qty - self.sold_qty


class MarketMaker(Strategy[MarketMakerParams, MarketMakerState]):
    """At most one order a side; a quote that is off is canceled, and replaced once that is proved."""

    ranges: deque[Decimal]
    last_sent_ns: dict[Side, int]

    def wants(self) -> Wants:
        params = self.params
        return Wants(
            symbols=[params.symbol],
            bar_s=params.bar_s,
            warm_up_bars=params.range_bars,
            timer_s=params.refresh_s and params.refresh_s / 2,
        )

    def warm_up(self, bars: Sequence[Bar]) -> None:
        self.ranges = deque((bar.high_px - bar.low_px for bar in bars), maxlen=self.params.range_bars)
        self.last_sent_ns = {Side.BUY: 0, Side.SELL: 0}

    def on_bar(self, bar: Bar) -> None:
        self.ranges.append(bar.high_px - bar.low_px)

    def on_fill(self, order: Order, trade: TradeReport) -> None:
        worth = trade.last_qty * trade.last_px
        if trade.side is Side.BUY:
            self.state.bought_qty += trade.last_qty
            self.state.paid += worth
        else:
            self.state.sold_qty += trade.last_qty
            self.state.received += worth

    def on_quote(self, quote: Quote) -> None:
        resting = {order.side: order for order in self.orders()}
        for side in (Side.BUY, Side.SELL):
            self._quote_side(side, quote, resting.get(side))

    def on_order(self, order: Order) -> None:
        self.on_timer()

    def on_timer(self) -> None:
        quote = self.quote(self.params.symbol)
        if quote is not None:
            self.on_quote(quote)

    def _quote_side(self, side: Side, quote: Quote, resting: Order | None) -> None:
        wanted_px = self._wanted_px(side, quote)
        qty = self._wanted_qty(side)
        if resting is not None:
            off_px = abs((resting.px or ZERO) - wanted_px)
            if not qty or off_px >= self._ticks(self.params.requote_ticks) or self._is_old(resting):
                self.cancel(resting.cl_ord_id, "off the market")
        # The wall clock may step: a time since that is negative lets it quote on.
        elif qty and not 0 <= self.now_ns() - self.last_sent_ns[side] < self.params.requote_s * 1e9:
            self.last_sent_ns[side] = self.now_ns()
            self.submit(self.params.symbol, side, qty, wanted_px, ord_type=OrdType.LIMIT_MAKER)

    def _is_old(self, order: Order) -> bool:
        return self.params.refresh_s is not None and self.now_ns() - order.created_ns >= self.params.refresh_s * 1e9

    def _wanted_qty(self, side: Side) -> Decimal:
        room = self.params.max_position_qty - side.sign * self.state.inventory_qty
        return to_step(max(ZERO, min(self.params.qty, room)), self.instrument(self.params.symbol).step_qty)

    def _wanted_px(self, side: Side, quote: Quote) -> Decimal:
        """Return the price a distance from the mid, leaned against inventory, that does not take."""
        tick = self.instrument(self.params.symbol).tick_px
        lean = self._ticks(self.params.lean_ticks) * self.state.inventory_qty / self.params.max_position_qty
        px = to_tick(quote.mid_px - lean - side.sign * self._half_spread(), tick)
        return min(px, quote.ask_px - tick) if side is Side.BUY else max(px, quote.bid_px + tick)

    def _half_spread(self) -> Decimal:
        mean_range = sum(self.ranges, ZERO) / len(self.ranges) if self.ranges else ZERO
        return max(self._ticks(self.params.half_spread_ticks), self.params.range_share * mean_range)

    def _ticks(self, count: int) -> Decimal:
        return count * self.instrument(self.params.symbol).tick_px
