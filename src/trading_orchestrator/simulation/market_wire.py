"""Prices on their way from the simulated venue to one node, and the market that makes them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

from trading_orchestrator.brokers.simulated.venue import SimulatedVenue
from trading_orchestrator.market.inbox import MarketInbox
from trading_orchestrator.market.port import Instrument, Quote, Trade
from trading_orchestrator.simulation.chance import Chance
from trading_orchestrator.simulation.clocks import TrueClock

STEP_S = (0.05, 0.25)
START_BID_PX = Decimal("1.1000")
LEAST_BID_PX, MOST_BID_PX = Decimal("1.0900"), Decimal("1.1100")


class MarketWire:
    """A `Feed` of one node."""

    def __init__(self, venue: SimulatedVenue) -> None:
        self._venue = venue
        self._inbox = MarketInbox()
        venue.on_market.append(self._inbox.put)

    async def instruments(self) -> Sequence[Instrument]:
        return list(self._venue.instruments.values())

    async def events(self, symbols: Sequence[str]) -> AsyncIterator[Quote | Trade]:
        async for item in self._inbox:
            yield item

    async def close(self) -> None:
        self.unplug()
        self._inbox.end()

    def unplug(self) -> None:
        """Nobody reads any more."""
        if self._inbox.put in self._venue.on_market:
            self._venue.on_market.remove(self._inbox.put)


class Market:
    """Walks the price by whole ticks inside a band, with a quantity that fills some orders only in part."""

    def __init__(self, venue: SimulatedVenue, symbol: str, clock: TrueClock, chance: Chance) -> None:
        self._venue = venue
        self._symbol = symbol
        self._tick = venue.instruments[symbol].tick_px
        self._clock = clock
        self._chance = chance
        self.bid_px = START_BID_PX
        self.is_still = False

    async def run(self) -> None:
        """Show quotes for ever."""
        while True:
            if not self.is_still:
                self.step()
            await self._clock.sleep(self._chance.between(*STEP_S))

    def step(self) -> None:
        moved = self.bid_px + (self._chance.below(5) - 2) * self._tick
        self.bid_px = min(max(moved, LEAST_BID_PX), MOST_BID_PX)
        ask_px = self.bid_px + self._tick
        self._venue.show_quote(self._symbol, self.bid_px, ask_px, Decimal(1 + self._chance.below(30)))
        self._venue.show_trade(self._symbol, ask_px if self._chance.hits(0.5) else self.bid_px, Decimal(1))
