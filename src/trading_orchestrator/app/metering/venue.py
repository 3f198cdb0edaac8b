"""A broker and a feed that time their answers, count their failures and know how old their streams are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, TypeVar, cast

from trading_orchestrator.brokers.port import Broker, Connected, NewOrder, OrderReport, TradeAmendment, TradeReport
from trading_orchestrator.errors import OrchestratorError, Refused
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.metrics import Meter
from trading_orchestrator.market.port import Feed, Quote, Trade

T = TypeVar("T")
STREAM_AGE = "trading_stream_age_seconds"


def metered_broker(broker: Broker, meter: Meter, clock: Clock, *, desk: str) -> Broker:
    """Return the broker, metered; whatever else the port asks passes through."""
    return cast("Broker", MeteredBroker(broker, meter, clock, desk=desk))


def metered_feed(feed: Feed, meter: Meter, clock: Clock, *, desk: str) -> Feed:
    """Return the feed, metered; whatever else the port asks passes through."""
    return cast("Feed", MeteredFeed(feed, meter, clock, desk=desk))


class StreamAge:
    """How long ago a stream brought anything, shown once it has."""

    def __init__(self, meter: Meter, clock: Clock, *, desk: str, stream: str) -> None:
        self._meter = meter
        self._clock = clock
        self._labels = {"desk": desk, "stream": stream}
        self._heard_ns: int | None = None
        self._events = meter.counter("trading_stream_events_total", "What streams brought", **self._labels)

    async def heard(self, stream: AsyncIterator[T]) -> AsyncIterator[T]:
        """Yield what the stream yields."""
        async for item in stream:
            if self._heard_ns is None:
                self._meter.watch(STREAM_AGE, "Since the stream last brought anything", self._age_s, **self._labels)
            self._heard_ns = self._clock.monotonic_ns()
            self._events.add()
            yield item

    def _age_s(self) -> float:
        return (self._clock.monotonic_ns() - (self._heard_ns or 0)) / 1e9


class MeteredBroker:
    """One event loop."""

    def __init__(self, broker: Broker, meter: Meter, clock: Clock, *, desk: str) -> None:
        self._broker = broker
        self._meter = meter
        self._clock = clock
        self._desk = desk
        self._age = StreamAge(meter, clock, desk=desk, stream="reports")
        self._took_s = {
            call: meter.histogram(
                "trading_venue_answer_seconds", "From asking the venue to its answer", desk=desk, call=call
            )
            for call in ("submit", "cancel", "order", "open_orders")
        }

    def __getattr__(self, name: str) -> Any:
        return getattr(self._broker, name)

    async def submit(self, order: NewOrder) -> OrderReport:
        return await self._timed("submit", self._broker.submit(order))

    async def cancel(self, symbol: str, cl_ord_id: str) -> OrderReport:
        return await self._timed("cancel", self._broker.cancel(symbol, cl_ord_id))

    async def order(self, symbol: str, cl_ord_id: str) -> OrderReport:
        return await self._timed("order", self._broker.order(symbol, cl_ord_id))

    async def open_orders(self, symbols: Sequence[str]) -> Sequence[OrderReport]:
        return await self._timed("open_orders", self._broker.open_orders(symbols))

    def reports(self) -> AsyncIterator[OrderReport | TradeReport | TradeAmendment | Connected]:
        return self._age.heard(self._broker.reports())

    async def _timed(self, call: str, asked: Awaitable[T]) -> T:
        began_ns = self._clock.monotonic_ns()
        try:
            return await asked
        except OrchestratorError as error:
            refused = isinstance(error, Refused)  # a no is an answer: the venue is well
            self._meter.counter(
                "trading_venue_refusals_total" if refused else "trading_venue_failures_total",
                "Requests the venue said no to" if refused else "Requests that got no trustworthy answer",
                desk=self._desk,
                call=call,
                code=error.code,
            ).add()
            raise
        finally:
            self._took_s[call].observe((self._clock.monotonic_ns() - began_ns) / 1e9)


class MeteredFeed:
    """One event loop."""

    def __init__(self, feed: Feed, meter: Meter, clock: Clock, *, desk: str) -> None:
        self._feed = feed
        self._age = StreamAge(meter, clock, desk=desk, stream="market")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)

    def events(self, symbols: Sequence[str]) -> AsyncIterator[Quote | Trade]:
        return self._age.heard(self._feed.events(symbols))
