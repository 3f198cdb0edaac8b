"""What broker and feed need of a venue: its calls and streams in our words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from trading_orchestrator.brokers.port import Balance, Connected, NewOrder, OrderReport, TradeReport
from trading_orchestrator.market.port import Bar, Instrument, Quote, Trade

ReportSink = Callable[[OrderReport | TradeReport | Connected], None]
MarketSink = Callable[[Quote | Trade], None]


class ServerTime(NamedTuple):
    """The venue's wall clock as it answered, and when (monotonic) the question left: it may have waited before."""

    server_ms: float
    sent_ns: int


class Dialect(Protocol):
    """One venue's way to say it. The REST calls raise as the broker port says, the watches raise anything."""

    async def submit(self, order: NewOrder) -> OrderReport: ...
    async def cancel(self, symbol: str, cl_ord_id: str) -> OrderReport: ...
    async def order(self, symbol: str, cl_ord_id: str) -> OrderReport: ...
    async def open_orders(self, symbols: Sequence[str]) -> list[OrderReport]: ...
    async def trades(self, symbol: str, after_id: str | None, since_ns: int | None) -> list[TradeReport]: ...
    async def trades_of(self, symbol: str, venue_order_id: str) -> list[TradeReport]: ...
    async def balances(self) -> list[Balance]: ...
    async def server_time(self) -> ServerTime: ...
    async def instruments(self) -> list[Instrument]: ...

    async def quotes(self, symbols: Sequence[str]) -> list[Quote]:
        """Return the best bid and ask of each symbol as of now."""
        ...

    @property
    def candle_lengths(self) -> Sequence[int]:
        """Return the lengths of the venue's candles in seconds, those aligned to UTC only."""
        ...

    async def candles(self, symbol: str, candle_s: int, since_ns: int, limit: int) -> list[Bar]:
        """Return up to `limit` candles that begin at `since_ns` or later, oldest first, the growing one included."""
        ...

    async def may_withdraw(self) -> bool | None:
        """Return whether the key may withdraw; None when the venue does not tell."""
        ...

    @property
    def tells_every_order(self) -> bool:
        """Return whether the report stream is known to tell of each accepted or canceled order, not of trades only."""
        ...

    def report_watches(self, sink: ReportSink, heard: Callable[[], None]) -> StreamParts:
        """Return what to keep watching so that reports flow into the sink.

        Args:
            heard: called for each frame of the stream, whatever it tells.
        """
        ...

    def market_watches(self, symbols: Sequence[str], sink: MarketSink) -> StreamParts:
        """As `report_watches`, for quotes and trades."""
        ...


class StreamParts(NamedTuple):
    """`watches`: to be kept going. `stop`: ends the flow. `drop`: ends the connections, so that the watches raise."""

    watches: Sequence[Watch]
    stop: Callable[[], None]
    drop: Callable[[str], None]


class Watch(Protocol):
    """Waits on one stream; returns after news, raises when the stream is lost. Called again and again."""

    async def __call__(self) -> None: ...
