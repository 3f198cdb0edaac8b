"""What a desk hears, warm or seated: its account, its market, and its venue's clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from trading_orchestrator.brokers.port import Broker, Connected
from trading_orchestrator.errors import OrchestratorError
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.market.port import Feed, Instrument, Quote, Trade
from trading_orchestrator.trading.shift import Report, Shift
from trading_orchestrator.trading.strategies.bar_history import BarHistory
from trading_orchestrator.trading.venue_clock import VenueClock

T = TypeVar("T")
log = logging.getLogger(__name__)
STREAM_AGAIN_S = 1.0
STREAM_UP_S = 5.0
"""How long `warm` waits for the report stream; polls find what a stream that is not up does not bring."""


class Streams:
    """Keeps quotes and bars fresh, and passes on to the shift, when there is one. Use from one event loop.

    Args:
        of: whose they are; for names and the log.
        quotes: kept here, the newest of each symbol.
        shift: the one that is on now.
    """

    def __init__(
        self,
        broker: Broker,
        feed: Feed,
        clock: Clock,
        *,
        of: str,
        instruments: Mapping[str, Instrument],
        quotes: dict[str, Quote],
        bars: BarHistory,
        venue_clock: VenueClock,
        shift: Callable[[], Shift | None],
    ) -> None:
        self._broker = broker
        self._feed = feed
        self._clock = clock
        self._of = of
        self._instruments = instruments
        self._quotes = quotes
        self._bars = bars
        self._venue_clock = venue_clock
        self._shift = shift
        self._stream_up = asyncio.Event()
        self._pumps: list[asyncio.Task[None]] = []
        self._filling: asyncio.Task[None] | None = None

    def open(self) -> Sequence[Coroutine[Any, Any, None]]:
        """Listen from now on; return what to wait for until past bars and the stream are there."""
        past = [] if self._pumps else [self._bars.fill(self._feed)]
        if not self._pumps:
            self._pumps = [
                asyncio.create_task(self._pump(self._broker.reports, self._on_report), name=f"{self._of} reports"),
                asyncio.create_task(self._pump(self._market, self._on_market), name=f"{self._of} market"),
                asyncio.create_task(self._venue_clock.keep_fresh(), name=f"{self._of} venue clock"),
            ]
        return [self._wait_for_stream(), *past]

    async def close(self) -> None:
        """Listen no more."""
        pumps = [*self._pumps, self._filling] if self._filling is not None else self._pumps
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        self._pumps = []

    async def _wait_for_stream(self) -> None:
        up = asyncio.ensure_future(self._stream_up.wait())
        late = asyncio.ensure_future(self._clock.sleep(STREAM_UP_S))
        await asyncio.wait((up, late), return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        late.cancel()

    def _market(self) -> AsyncIterator[Quote | Trade]:
        return self._feed.events(list(self._instruments))

    def _on_report(self, report: Report) -> None:
        if isinstance(report, Connected):
            self._stream_up.set()
        if (shift := self._shift()) is not None:
            shift.on_report(report)

    def _on_market(self, event: Quote | Trade) -> None:
        if isinstance(event, Quote):
            self._quotes[event.symbol] = event
        closed = self._bars.on_event(event)
        if self._bars.has_hole(closed) and (self._filling is None or self._filling.done()):
            self._filling = asyncio.create_task(self._bars.fill(self._feed), name=f"{self._of} past bars")
        if (shift := self._shift()) is None:
            return
        for bar_s, bar in closed:
            shift.floor.on_bar(bar_s, bar)
        if isinstance(event, Quote):
            shift.on_quote(event)

    async def _pump(self, stream: Callable[[], AsyncIterator[T]], take: Callable[[T], None]) -> None:
        """Read a stream for ever: streams reconnect by themselves, and one that ends all the same is opened anew."""
        while True:
            try:
                async for item in stream():
                    _taken(take, item)
            except Exception as error:  # noqa: BLE001 - whatever a stream dies of, the desk must hear again
                log.warning("%s: a stream ended: %s: %s", self._of, type(error).__name__, error)
            await self._clock.sleep(STREAM_AGAIN_S)


def _taken(take: Callable[[T], None], item: T) -> None:
    try:
        take(item)
    except OrchestratorError as error:
        # The record is lost by now, and whoever hears of that begins anew; the stream must not end with it.
        log.error("a report could not be booked: %s", error.message)
