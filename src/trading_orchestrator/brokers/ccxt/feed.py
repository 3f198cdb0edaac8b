"""Prices of one exchange, through ccxt."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.brokers.ccxt.dialect import Dialect
from trading_orchestrator.brokers.ccxt.dialects import dialect_of
from trading_orchestrator.brokers.ccxt.streams import Stream
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.ids import RandomBytes, system_random
from trading_orchestrator.market.inbox import MarketInbox
from trading_orchestrator.market.port import Instrument, Quote, Trade


class CcxtFeed:
    """A `Feed`. Use within one event loop. `client` may be shared with a CcxtBroker; closing either closes it."""

    def __init__(
        self,
        config: CcxtConfig,
        *,
        clock: Clock,
        client: CcxtClient | None = None,
        random_bytes: RandomBytes = system_random,
    ) -> None:
        self._config = config
        self._clock = clock
        self._client = client or CcxtClient(config, clock=clock)
        self._dialect: Dialect = dialect_of(self._client)
        self._random_bytes = random_bytes

    async def instruments(self) -> Sequence[Instrument]:
        return await self._dialect.instruments()

    async def events(self, symbols: Sequence[str]) -> AsyncIterator[Quote | Trade]:
        inbox = MarketInbox()
        watches, stop = self._dialect.market_watches(symbols, inbox.put)
        stream = Stream(watches, stop, inbox.end, self._config, self._clock, self._random_bytes)
        async with self._client.holding(stream):
            async for item in inbox:
                yield item

    async def close(self) -> None:
        await self._client.close()
