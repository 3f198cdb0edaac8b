"""Prices of the simulated venue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from trading_orchestrator.brokers.simulated.venue import SimulatedVenue
from trading_orchestrator.market.inbox import MarketInbox
from trading_orchestrator.market.port import Instrument, Quote, Trade


class SimulatedFeed:
    """A `Feed` of the simulated venue: each reader gets what is shown from its first step on."""

    def __init__(self, venue: SimulatedVenue) -> None:
        self._venue = venue
        self._inboxes: list[MarketInbox] = []

    async def instruments(self) -> Sequence[Instrument]:
        return self._venue.listed()

    async def events(self, symbols: Sequence[str]) -> AsyncIterator[Quote | Trade]:
        inbox = MarketInbox()

        def listen(item: Quote | Trade) -> None:
            if item.symbol in symbols:
                inbox.put(item)

        self._venue.on_market.append(listen)
        self._inboxes.append(inbox)
        try:
            async for item in inbox:
                yield item
        finally:
            self._venue.on_market.remove(listen)
            self._inboxes.remove(inbox)

    async def close(self) -> None:
        for inbox in self._inboxes:
            inbox.end()
