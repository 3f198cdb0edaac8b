"""One account at one exchange, through ccxt."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from trading_orchestrator.brokers.budget import RequestBudget
from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.client_ids import check_client_ids
from trading_orchestrator.brokers.ccxt.config import CcxtConfig
from trading_orchestrator.brokers.ccxt.dialect import Dialect
from trading_orchestrator.brokers.ccxt.dialects import dialect_of
from trading_orchestrator.brokers.ccxt.key_rights import KeyCheck, KeyMayWithdraw
from trading_orchestrator.brokers.ccxt.probes import AccountProbe
from trading_orchestrator.brokers.ccxt.streams import Stream
from trading_orchestrator.brokers.port import Balance, Connected, NewOrder, OrderReport, TradeReport
from trading_orchestrator.brokers.stream_watch import StreamState, StreamWatch
from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.ids import RandomBytes, system_random
from trading_orchestrator.market.inbox import Inbox

_CLOCK_SAMPLES = 3
_VENUE_TIME_ERROR_NS = 500_000_000
"""A desk refuses to start with a clock further off the venue's than this."""


class CcxtBroker:
    """A `Broker`. Use within one event loop.

    `client` may be shared with a CcxtFeed; closing either closes it.
    """

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
        self._key_check = KeyCheck(self._dialect, config.exchange)
        self._random_bytes = random_bytes
        self._watch: StreamWatch | None = None

    @property
    def validity_s(self) -> float:
        return self._config.validity_s

    @property
    def timeout_s(self) -> float:
        return self._config.timeout_s

    @property
    def budget(self) -> RequestBudget:
        return self._client.budget

    @property
    def stream_state(self) -> StreamState:
        """Return how the stream of our orders is; nothing is wrong with one that nobody reads."""
        return self._watch.state if self._watch is not None else StreamState()

    async def connect(self) -> None:
        check_client_ids(self._config.exchange, self._config.client_id_param)
        # One after the other: of two that fail side by side the second one's error would come out of a later call, and
        # the question about the key is the first that is signed, by the venue's clock.
        await self._client.ready()
        await self.clock_offset_s()
        await self._key_check.ask()

    @property
    def key_doubt(self) -> str:
        return self._key_check.doubt

    async def ask_key_rights(self) -> None:
        with suppress(KeyMayWithdraw):  # that is an answer: the doubt says so
            await self._key_check.ask()

    @property
    def countdown_s(self) -> float:
        return self._config.countdown_s if self._client.exchange.has.get("cancelAllOrdersAfter") else 0.0

    async def cancel_all_after(self, seconds: float) -> None:
        exchange = await self._client.ready()
        await self._client.call("countdown", lambda: exchange.cancel_all_orders_after(round(seconds * 1000)))

    async def submit(self, order: NewOrder) -> OrderReport:
        began_ns = self._clock.monotonic_ns()
        report = await self._dialect.submit(order)
        self._order_moved(began_ns)
        return report

    async def cancel(self, symbol: str, cl_ord_id: str) -> OrderReport:
        began_ns = self._clock.monotonic_ns()
        report = await self._dialect.cancel(symbol, cl_ord_id)
        self._order_moved(began_ns)
        return report

    async def order(self, symbol: str, cl_ord_id: str) -> OrderReport:
        return await self._dialect.order(symbol, cl_ord_id)

    async def open_orders(self, symbols: Sequence[str]) -> Sequence[OrderReport]:
        return await self._dialect.open_orders(symbols)

    async def trades(
        self, symbol: str, *, after_id: str | None = None, since_ns: int | None = None
    ) -> Sequence[TradeReport]:
        return self._witnessed(await self._dialect.trades(symbol, after_id, since_ns))

    async def trades_of(self, symbol: str, venue_order_id: str) -> Sequence[TradeReport]:
        return self._witnessed(await self._dialect.trades_of(symbol, venue_order_id))

    async def balances(self) -> Sequence[Balance]:
        return await self._dialect.balances()

    async def clock_offset_s(self) -> float:
        """Return venue time minus ours, from the quickest of three answers, and sign requests with it from now on.

        Error bound: half that answer's round trip.
        """
        samples = [await self._clock_sample() for _ in range(_CLOCK_SAMPLES)]
        self._client.offset_s = min(samples)[1]
        return self._client.offset_s

    async def reports(self) -> AsyncIterator[OrderReport | TradeReport | Connected]:
        """See `Broker.reports`. An OrderReport carries the trade it tells in `trades`.

        When the reader falls 10,000 reports behind, they are dropped and replaced by one Connected: poll.
        """
        inbox: Inbox[OrderReport | TradeReport | Connected] = Inbox(
            most=10_000, instead=lambda: Connected(self._clock.wall_ns())
        )
        watch = self._watch = self._config.stream_watch("reports", self._clock)

        def take(report: OrderReport | TradeReport | Connected) -> None:
            if isinstance(report, Connected):
                watch.connected()
            inbox.put(report)

        parts = self._dialect.report_watches(take, watch.heard)
        probe = AccountProbe(self._dialect, watch)
        stream = Stream(
            parts.watches,
            parts.stop,
            inbox.end,
            self._config,
            self._clock,
            self._random_bytes,
            beside=[lambda: watch.keep(probe.differs, parts.drop)],
            lost=watch.lost,
            frames=lambda: watch.frames,
        )
        async with self._client.holding(stream):
            async for report in inbox:
                yield report

    async def close(self) -> None:
        await self._client.close()

    def _order_moved(self, began_ns: int) -> None:
        if self._watch is not None and self._dialect.tells_every_order:
            self._watch.witnessed(began_ns)

    def _witnessed(self, trades: Sequence[TradeReport]) -> Sequence[TradeReport]:
        """A trade that was polled is one that the stream must have told of, too."""
        if self._watch is not None and trades:
            ago_ns = self._client.venue_now_ns() - max(trade.at_ns for trade in trades)
            self._watch.witnessed(self._clock.monotonic_ns() - max(0, ago_ns) - _VENUE_TIME_ERROR_NS)
        return trades

    async def _clock_sample(self) -> tuple[int, float]:
        server_ms, sent_ns = await self._dialect.server_time()
        took_ns, wall_ns = self._clock.monotonic_ns() - sent_ns, self._clock.wall_ns()
        return took_ns, server_ms / 1e3 - (wall_ns - took_ns / 2) / 1e9
