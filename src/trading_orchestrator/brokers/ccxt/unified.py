"""Any exchange through ccxt's unified words.

What the venue itself said decides nothing here that a table in `answers.py` does not prove: an exchange
without a table has AMBIGUOUS for every refusal. Numbers are floats in ccxt; their shortest spelling is exact
up to 15 digits. ccxt hands a watcher only what came while it waited, so a frame may be seen with the next one:
poll trades as ORDER_PROTOCOL §6 says.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from trading_orchestrator.brokers.ccxt import unified_words as words
from trading_orchestrator.brokers.ccxt.client import CcxtClient, VenueRefused
from trading_orchestrator.brokers.ccxt.connections import drop_clients
from trading_orchestrator.brokers.ccxt.dialect import MarketSink, ReportSink, ServerTime, StreamParts, Watch
from trading_orchestrator.brokers.ccxt.reading import echoes, mismatch, reading
from trading_orchestrator.brokers.port import (
    Balance,
    Connected,
    NewOrder,
    NoAnswer,
    OrderReport,
    OrdType,
    SymbolGone,
    TradeReport,
)
from trading_orchestrator.kernel.money import plain
from trading_orchestrator.market.port import Bar, Instrument, Quote

_log = logging.getLogger(__name__)
_PAGE = 500
_LEAST_PAGE = 50
"""Venues cut pages at 50 to 1,000 rows whatever is asked for: a shorter one is the last."""
_LONG_AGO_MS = 12 * 3600 * 1000
"""From a time so long ago on the newest page is asked for, too: a venue's window may be shorter than ccxt has it."""
_LISTED_LATE_MS = 3600 * 1000
"""So far back a quiet time is asked for again: a trade may be listed late."""
TAKES_UNTIL = frozenset({"aster", "binance", "binanceus", "bitget", "htx", "mexc", "myokx", "okx", "okxus", "weex"})
"""Exchanges whose trades ccxt can ask for up to a time. Some of them tell the newest of a time first, and cut there."""
_DAY_S = 86_400
_DAY_MS = _DAY_S * 1000


class _Quiet(NamedTuple):
    """No trade beyond `after_id` was listed between these times."""

    after_id: str | None
    from_ms: int
    to_ms: int


class Unified:
    """See `Dialect`."""

    def __init__(self, client: CcxtClient) -> None:
        self._client = client
        self._quiet: dict[str, _Quiet] = {}

    async def submit(self, order: NewOrder) -> OrderReport:
        exchange = await self._client.ready()
        params: dict[str, Any] = {"clientOrderId": order.cl_ord_id}
        if order.ord_type is OrdType.LIMIT_MAKER:
            params["postOnly"] = True
        elif order.ord_type is OrdType.LIMIT:
            params["timeInForce"] = order.time_in_force.name
        ccxt_type = "market" if order.ord_type is OrdType.MARKET else "limit"
        px = None if order.px is None else plain(order.px)
        raw = await self._client.call(
            "submit",
            lambda: exchange.create_order(
                order.symbol, ccxt_type, order.side.value, plain(order.order_qty), px, params
            ),
        )
        with reading("submit"):
            # Many venues answer with the ids only; what is there must match what was sent.
            for key, asked in (("symbol", order.symbol), ("side", order.side.value)):
                if raw.get(key) not in (None, asked):
                    raise mismatch("submit", asked, raw[key])
            if raw.get("amount") is not None and words.number(raw["amount"]) != order.order_qty:
                raise mismatch("submit", order.order_qty, raw["amount"])
            report = words.answer_report(raw, order, self._client.venue_now_ns())
        return echoes(report, order.cl_ord_id, "submit")

    async def cancel(self, symbol: str, cl_ord_id: str) -> OrderReport:
        exchange = await self._client.ready()
        params = self._by_our_id(cl_ord_id)
        await self._client.call("cancel", lambda: exchange.cancel_order(None, symbol, params))
        return await self.order(symbol, cl_ord_id)

    async def order(self, symbol: str, cl_ord_id: str) -> OrderReport:
        exchange = await self._client.ready()
        params = self._by_our_id(cl_ord_id)
        raw = await self._ask_of(symbol, "order", lambda: exchange.fetch_order(None, symbol, params))
        with reading("order"):
            report = words.order_report(raw, "query", self._client.venue_now_ns())
        return echoes(report, cl_ord_id, "order")

    def _by_our_id(self, cl_ord_id: str) -> dict[str, str]:
        return {self._client.config.client_id_param or "clientOrderId": cl_ord_id}

    async def open_orders(self, symbols: Sequence[str]) -> list[OrderReport]:
        exchange = await self._client.ready()
        found: list[OrderReport] = []
        for symbol in symbols:
            raws = await self._ask_of(symbol, "open orders", partial(exchange.fetch_open_orders, symbol))
            with reading("open orders"):
                found += [words.listed_report(raw, self._client.venue_now_ns()) for raw in raws]
        return found

    async def trades(self, symbol: str, after_id: str | None, since_ns: int | None) -> list[TradeReport]:
        """Return trades as the port says. Ids are compared as numbers where they are numbers.

        A venue that knows no paging by id is paged by time, from `since_ns` on: without one it would tell its newest
        ones only. It tells of a window from there (a day, two at HTX, a week at KuCoin) and of nothing newer: a page
        that is not full moves on by one window, until now. A quiet time that was walked is not walked again.
        """
        exchange = await self._client.ready()
        if since_ns is None:
            return _beyond(after_id, await self._page(exchange, symbol, None))
        now_ms, since_ms = self._client.venue_now_ns() // 1_000_000, since_ns // 1_000_000
        from_ms = self._from_ms(symbol, after_id, since_ms)
        found = await self._walk(exchange, symbol, from_ms, now_ms)
        if now_ms - from_ms > _LONG_AGO_MS:
            newest = await self._page(exchange, symbol, None)
            found.update((trade.trade_id, trade) for trade in newest if trade.at_ns >= since_ns)
        rows = _beyond(after_id, found.values())
        first_ms = min([trade.at_ns // 1_000_000 for trade in rows], default=now_ms)
        self._quiet[symbol] = _Quiet(after_id, since_ms, min(first_ms, now_ms - _LISTED_LATE_MS))
        return rows

    async def _walk(self, exchange: Any, symbol: str, from_ms: int, now_ms: int) -> dict[str, TradeReport]:
        """Return all trades from a time on. Two pages of a window overlap in their last millisecond."""
        window_ms = _window_ms(exchange)
        found: dict[str, TradeReport] = {}
        while from_ms <= now_ms:
            page = await self._page(exchange, symbol, from_ms)
            fresh = [trade for trade in page if trade.trade_id not in found]
            found.update((trade.trade_id, trade) for trade in fresh)
            if not (_is_full(page) and fresh):
                from_ms += window_ms
                continue
            await self._walk_back(exchange, symbol, from_ms, page, found)
            from_ms = _ms(max(trade.at_ns for trade in page))
        return found

    async def _walk_back(
        self, exchange: Any, symbol: str, from_ms: int, page: list[TradeReport], found: dict[str, TradeReport]
    ) -> None:
        """Add what a venue that tells the newest first cut off before a full page; one that does not has none."""
        last_ms = from_ms + _window_ms(exchange)  # a longer time would be refused
        while exchange.id in TAKES_UNTIL and _is_full(page):
            oldest_ms = _ms(min(trade.at_ns for trade in page))
            page = await self._page(exchange, symbol, from_ms, min(oldest_ms, last_ms))
            fresh = {trade.trade_id: trade for trade in page if trade.trade_id not in found}
            found.update(fresh)
            if not fresh:
                return

    def _from_ms(self, symbol: str, after_id: str | None, since_ms: int) -> int:
        """Return from when on to ask: trades beyond the same id cannot lie in what was quiet the last time."""
        quiet = self._quiet.get(symbol)
        if quiet is None or quiet.after_id != after_id or since_ms < quiet.from_ms:
            return since_ms
        return max(since_ms, quiet.to_ms)

    async def _page(
        self, exchange: Any, symbol: str, since_ms: int | None, until_ms: int | None = None
    ) -> list[TradeReport]:
        until = {} if until_ms is None else {"until": until_ms}
        raws = await self._ask_of(symbol, "trades", partial(exchange.fetch_my_trades, symbol, since_ms, _PAGE, until))
        with reading("trades"):
            return [words.trade_report(raw) for raw in raws]

    async def trades_of(self, symbol: str, venue_order_id: str) -> list[TradeReport]:
        """Return the order's trades; a venue that cannot be asked by order is asked for all, as `trades` does."""
        exchange = await self._client.ready()
        if not exchange.has.get("fetchOrderTrades"):
            return [each for each in await self.trades(symbol, None, None) if each.venue_order_id == venue_order_id]
        raws = await self._ask_of(symbol, "trades", partial(exchange.fetch_order_trades, venue_order_id, symbol))
        with reading("trades"):
            return sorted((words.trade_report(raw) for raw in raws), key=words.trade_order)

    async def _ask_of(self, symbol: str, what: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Ask about one symbol. That a venue answers nothing on a market it calls inactive means that it is gone."""
        try:
            return await self._client.call(what, ask)
        except NoAnswer as error:
            market = (self._client.exchange.markets or {}).get(symbol)
            if error.facts.get("http_status") is None or not market or market.get("active") is not False:
                raise
            raise SymbolGone(f"{error.message}; the market is inactive", **error.facts) from None

    async def balances(self) -> list[Balance]:
        exchange = await self._client.ready()
        raw = await self._client.call("balances", exchange.fetch_balance)
        with reading("balances"):
            rows = [
                Balance(asset, words.number(raw["free"].get(asset)), words.number(raw["used"].get(asset)))
                for asset in raw["total"]
            ]
        return [each for each in rows if each.total]

    async def server_time(self) -> ServerTime:
        exchange, clock, sending = self._client.exchange, self._client.clock, self._client.sending("time")
        if not exchange.has.get("fetchTime"):  # the venue does not tell; its clock is taken to be ours
            return ServerTime(clock.wall_ns() / 1e6, clock.monotonic_ns())
        raw = await self._client.call("time", exchange.fetch_time, sending)
        with reading("time"):
            return ServerTime(float(raw), sending.sent_ns)

    async def quotes(self, symbols: Sequence[str]) -> list[Quote]:
        """See `Dialect`; none of a venue that has no tickers."""
        exchange, client = await self._client.ready(), self._client
        if not exchange.has.get("fetchTicker"):
            return []
        found: list[Quote] = []
        for symbol in symbols:
            raw = await client.call("quotes", partial(exchange.fetch_ticker, symbol))
            with reading("quotes"):
                quote = words.quote(raw, client.venue_now_ns(), client.clock.monotonic_ns())
            found += [quote] if quote is not None else []
        return found

    async def instruments(self) -> list[Instrument]:
        exchange = await self._client.ready()
        spot = [market for market in exchange.markets.values() if market.get("spot")]
        found = [words.instrument(market, exchange.precisionMode) for market in spot]
        return [each for each in found if each is not None]

    @property
    def candle_lengths(self) -> Sequence[int]:
        exchange = self._client.exchange
        if not exchange.has.get("fetchOHLCV"):
            return ()
        lengths = [int(exchange.parse_timeframe(name)) for name in exchange.timeframes or {} if name[-1] in "smhd"]
        return tuple(each for each in lengths if _DAY_S % each == 0)

    async def candles(self, symbol: str, candle_s: int, since_ns: int, limit: int) -> list[Bar]:
        exchange = await self._client.ready()
        name = next(each for each in exchange.timeframes if exchange.parse_timeframe(each) == candle_s)
        ask = partial(exchange.fetch_ohlcv, symbol, name, since_ns // 1_000_000, limit)
        raws = await self._client.call("candles", ask)
        with reading("candles"):
            return [words.candle(raw, symbol, candle_s) for raw in raws]

    async def may_withdraw(self) -> bool | None:
        return None  # no unified word asks for it

    @property
    def tells_every_order(self) -> bool:
        return False

    def report_watches(self, sink: ReportSink, heard: Callable[[], None]) -> StreamParts:
        exchange = self._client.exchange
        if not exchange.has.get("watchOrders") or not exchange.has.get("watchMyTrades"):
            raise VenueRefused(f"{exchange.id} has no stream of orders and trades in ccxt", venue_code="", text="")
        fresh = False

        def connected() -> None:
            nonlocal fresh
            fresh = True
            sink(Connected(self._client.clock.wall_ns()))

        def first_news() -> None:
            """No unified word says when a subscription took effect: the gap before the first news is polled again."""
            nonlocal fresh
            if fresh:
                fresh = False
                sink(Connected(self._client.clock.wall_ns()))

        def take(read: Callable[[], OrderReport | TradeReport]) -> None:
            heard()
            first_news()
            sink(_read(read) or Connected(self._client.clock.wall_ns()))

        async def watch_orders() -> None:
            await self._client.ready()
            for raw in await exchange.watch_orders():
                take(partial(words.order_report, raw, "stream", self._client.venue_now_ns()))

        async def watch_trades() -> None:
            await self._client.ready()
            for raw in await exchange.watch_my_trades():
                take(partial(words.trade_report, raw))

        exchange.connect_taps.append(connected)
        stop = partial(exchange.connect_taps.remove, connected)
        return StreamParts([watch_orders, watch_trades], stop, self._drop_all)

    def market_watches(self, symbols: Sequence[str], sink: MarketSink) -> StreamParts:
        exchange, wanted = self._client.exchange, list(symbols)
        watches: list[Watch] = []
        if exchange.has.get("watchBidsAsks"):
            watches.append(self._quotes(lambda: exchange.watch_bids_asks(wanted), sink))
        else:
            watches += [self._quotes(partial(exchange.watch_ticker, symbol), sink) for symbol in wanted]
        if exchange.has.get("watchTradesForSymbols"):
            watches.append(self._trades(lambda: exchange.watch_trades_for_symbols(wanted), sink))
        else:
            watches += [self._trades(partial(exchange.watch_trades, symbol), sink) for symbol in wanted]
        return StreamParts(watches, lambda: None, self._drop_all)

    def _drop_all(self, why: str) -> None:
        """No unified word says which connection carries what."""
        drop_clients(self._client.exchange, "", ConnectionError(why))

    def _quotes(self, watch: Callable[[], Any], sink: MarketSink) -> Watch:
        client = self._client

        async def watching() -> None:
            await client.ready()
            raw: Mapping[str, Any] = await watch()
            for ticker in [raw] if "bid" in raw else raw.values():
                quote = words.quote(ticker, client.venue_now_ns(), client.clock.monotonic_ns())
                if quote is not None:
                    sink(quote)

        return watching

    def _trades(self, watch: Callable[[], Any], sink: MarketSink) -> Watch:
        async def watching() -> None:
            await self._client.ready()
            for raw in await watch():
                sink(words.public_trade(raw, self._client.clock.monotonic_ns()))

        return watching


def _read(read: Callable[[], OrderReport | TradeReport]) -> OrderReport | TradeReport | None:
    """Return what a frame tells, None when it cannot be read: its watch must not end, since the stream is there."""
    try:
        with reading("a frame"):
            return read()
    except NoAnswer as error:
        _log.info("%s; what it told is asked for", error.message)
        return None


def _beyond(after_id: str | None, trades: Iterable[TradeReport]) -> list[TradeReport]:
    rows = sorted(trades, key=words.trade_order)
    return [trade for trade in rows if after_id is None or words.is_after(trade.trade_id, after_id)]


def _is_full(page: Sequence[TradeReport]) -> bool:
    return len(page) >= min(_PAGE, _LEAST_PAGE)


def _ms(at_ns: int) -> int:
    return at_ns // 1_000_000


def _window_ms(exchange: Any) -> int:
    """Return how much time one page of our trades may span, as ccxt's table of features has it; else a day."""
    told = ((exchange.features or {}).get("spot") or {}).get("fetchMyTrades") or {}
    return int(told.get("untilDays") or 1) * _DAY_MS
