"""A strategy that never rests: it orders, cancels and replaces, so that every path of an order is walked."""

from __future__ import annotations

from decimal import Decimal

from trading_orchestrator.brokers.port import OrdType, Side, TimeInForce
from trading_orchestrator.market.port import Quote
from trading_orchestrator.trading.strategies.strategy import Strategy, StrategyParams, StrategyState, Wants

_MASK = (1 << 64) - 1


class FidgetParams(StrategyParams, frozen=True):
    """`every_s`: between two decisions. `stale_timers`: that many of them without a quote, and it cancels all."""

    symbol: str
    every_s: float = 0.04
    stale_timers: int = 50


class FidgetState(StrategyState):
    """`dice`: its chance, kept here because a strategy takes none from Python."""

    dice: int = 1
    filled_qty: Decimal = Decimal(0)


class Fidget(Strategy[FidgetParams, FidgetState]):
    """Orders at, in and behind the market, in sizes that press against the desk's limits."""

    silent_timers = 0

    def wants(self) -> Wants:
        return Wants(symbols=[self.params.symbol], timer_s=self.params.every_s)

    def on_quote(self, quote: Quote) -> None:
        self.silent_timers = 0

    def on_timer(self) -> None:
        self.silent_timers += 1
        quote = self.quote(self.params.symbol)
        if quote is None or self.silent_timers > self.params.stale_timers:
            for order in self.orders():
                self.cancel(order.cl_ord_id, "no quotes")
            return
        choice = self._roll(10)
        if choice < 3:
            self._cancel_some()
        if choice != 0:
            self._order(quote)

    def _cancel_some(self) -> None:
        for order in self.orders():
            choice = self._roll(6)
            if choice < 2:
                self.cancel(order.cl_ord_id, "changed its mind")
            elif choice == 2 and order.px is not None:
                tick = self.instrument(order.symbol).tick_px
                self.replace(order.cl_ord_id, px=order.px + (self._roll(3) - 1) * tick, reason="a better price")

    def _order(self, quote: Quote) -> None:
        side = Side.BUY if self._roll(2) else Side.SELL
        qty = Decimal(1 + self._roll(20))
        kind = self._roll(6)
        if kind == 0:
            self.submit(self.params.symbol, side, qty)
            return
        tick = self.instrument(self.params.symbol).tick_px
        touch_px = quote.ask_px if side is Side.BUY else quote.bid_px
        px = touch_px - side.sign * tick * (self._roll(4) if kind > 1 else -1)
        if kind == 5:
            self.submit(self.params.symbol, side, qty, px, ord_type=OrdType.LIMIT_MAKER)
        else:
            within = TimeInForce.IOC if kind == 1 else TimeInForce.GTC
            self.submit(self.params.symbol, side, qty, px, time_in_force=within)

    def _roll(self, sides: int) -> int:
        """Return 0 … sides − 1 (Knuth's MMIX generator, its high bits)."""
        self.state.dice = (self.state.dice * 6364136223846793005 + 1442695040888963407) & _MASK
        return (self.state.dice >> 33) % sides
