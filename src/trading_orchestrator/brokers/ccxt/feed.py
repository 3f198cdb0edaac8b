"""Prices of one exchange, through ccxt."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

from trading_orchestrator.brokers.budget import Purpose, asking
from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.brokers.ccxt.dialect import Dialect
from trading_orchestrator.brokers.ccxt.dialects import dialect_of
from trading_orchestrator.brokers.ccxt.history import recent_bars
from trading_orchestrator.brokers.ccxt.probes import MarketProbe
from trading_orchestrator.brokers.ccxt.streams import Stream
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.ids import RandomBytes, system_random
from trading_orchestrator.market.inbox import MarketInbox
from trading_orchestrator.market.port import Bar, Instrument, Quote, Trade

_log = logging.getLogger(__name__)


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

    async def bars(self, symbol: str, bar_s: int, *, last: int) -> Sequence[Bar]:
        with asking(Purpose.POLL):
            now_ns = self._client.venue_now_ns()
            return await recent_bars(self._dialect, symbol, bar_s, last=last, venue_now_ns=now_ns)

    async def events(self, symbols: Sequence[str]) -> AsyncIterator[Quote | Trade]:
        """See `Feed.events`. Quotes are asked for once beside the stream: on a still market it would bring none."""
        inbox = MarketInbox()
        watch = self._config.stream_watch("prices", self._clock)
        probe = MarketProbe(self._dialect, symbols, inbox.put)
        connected = asyncio.Event()

        def take(item: Quote | Trade) -> None:
            watch.heard()
            probe.show(item)

        async def keep_known() -> None:
            """Ask for the quotes now and after each connection: the stream tells of changes only."""
            while True:
                connected.clear()
                watch.connected()
                try:
                    await probe.differs()
                except OrchestratorError as error:
                    _log.info("the quotes are left to the stream: %s", error.message)
                await connected.wait()

        parts = self._dialect.market_watches(symbols, take)
        stream = Stream(
            parts.watches,
            parts.stop,
            inbox.end,
            self._config,
            self._clock,
            self._random_bytes,
            beside=[keep_known, lambda: watch.keep(probe.differs, parts.drop)],
            lost=watch.connected,
            frames=lambda: watch.frames,
        )
        taps = self._client.exchange.connect_taps
        taps.append(connected.set)
        async with self._client.holding(stream):
            try:
                async for item in inbox:
                    yield item
            finally:
                taps.remove(connected.set)

    async def close(self) -> None:
        await self._client.close()
