"""What broker and feed need of a venue: its calls and streams in our words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from trading_orchestrator.brokers.port import Balance, Connected, NewOrder, OrderReport, TradeReport
from trading_orchestrator.market.port import Instrument, Quote, Trade

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

    def report_watches(self, sink: ReportSink) -> tuple[Sequence[Watch], Callable[[], None]]:
        """Return what to keep watching so that reports flow into the sink, and how to stop the flow."""
        ...

    def market_watches(self, symbols: Sequence[str], sink: MarketSink) -> tuple[Sequence[Watch], Callable[[], None]]:
        """As `report_watches`, for quotes and trades."""
        ...


class Watch(Protocol):
    """Waits on one stream; returns after news, raises when the stream is lost. Called again and again."""

    async def __call__(self) -> None: ...
