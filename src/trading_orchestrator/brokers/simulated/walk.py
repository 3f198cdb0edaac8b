"""A price path for simulations: a random walk of whole ticks."""

from __future__ import annotations

from decimal import Decimal

from trading_orchestrator.brokers.simulated.faults import Chance
from trading_orchestrator.brokers.simulated.venue import SimulatedVenue


class PriceWalk:
    """Moves one symbol's quote by −1, 0 or +1 tick a step, spread one tick, never below ten ticks."""

    def __init__(self, venue: SimulatedVenue, symbol: str, *, start_px: Decimal, qty: Decimal, chance: Chance) -> None:
        self._venue = venue
        self._symbol = symbol
        self._tick = venue.instruments[symbol].tick_px
        self._bid_px = start_px
        self._qty = qty
        self._chance = chance

    def step(self) -> None:
        """Show the next quote and a trade at one of its sides."""
        move = int(self._chance() * 3) - 1
        self._bid_px = max(self._bid_px + move * self._tick, 10 * self._tick)
        ask_px = self._bid_px + self._tick
        self._venue.show_quote(self._symbol, self._bid_px, ask_px, self._qty)
        self._venue.show_trade(self._symbol, ask_px if self._chance() < 0.5 else self._bid_px, self._qty / 10)
