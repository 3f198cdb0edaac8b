"""Asked from a time on, a venue may tell of a week from there, a hundred rows a page: newer trades are found too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from trading_orchestrator.brokers.ccxt.binance_spot import BinanceSpot
from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.unified import Unified

SYMBOL = "EUR/USDT"
DAY_MS = 86_400_000
NOW_MS = 1_700_000_000_000


class WindowedVenue:
    """Tells trades as KuCoin documents it: a week from `since`, or the last one; `most` rows a page, oldest first.

    `newest`: so many rows, at most, when no time is asked for.
    """

    def __init__(self, trades: dict[int, int], most: int, window_days: int = 7, newest: int = 500) -> None:
        self.trades = trades
        self._most = most
        self._newest = newest
        self._window_ms = window_days * DAY_MS
        self.features = {"spot": {"fetchMyTrades": {"untilDays": window_days}}}
        self.asked = 0
        self.id = "kucoin"

    async def fetch_my_trades(
        self, symbol: str, since: int | None, limit: int, params: dict[str, Any]
    ) -> list[dict[str, Any]]:
        assert {} == params, "ccxt would pass it on, and the venue refuse it"
        self.asked += 1
        from_ms = NOW_MS - self._window_ms if since is None else since
        told = [number for number, at_ms in self.trades.items() if from_ms <= at_ms < from_ms + self._window_ms]
        most = min(limit, self._most)
        page = told[max(0, len(told) - min(most, self._newest)) :] if since is None else told[:most]
        return [self._row(symbol, number) for number in page]

    def _row(self, symbol: str, number: int) -> dict[str, Any]:
        at_ms = self.trades[number]
        return {"id": str(number), "order": "7", "symbol": symbol, "side": "buy", "amount": 1.0, "price": 1.1,
                "timestamp": at_ms, "fee": {"cost": 0.0, "currency": "USDT"}, "info": {}}  # fmt: skip


class NewestFirst(WindowedVenue):
    """Tells trades as OKX documents it: of a time the newest hundred, whatever time that is."""

    async def fetch_my_trades(
        self, symbol: str, since: int | None, limit: int, params: dict[str, Any]
    ) -> list[dict[str, Any]]:
        self.asked += 1
        until_ms = params.get("until", NOW_MS)
        told = [number for number, at_ms in self.trades.items() if (since or 0) <= at_ms <= until_ms]
        return [self._row(symbol, number) for number in told[-100:]]


class Client:
    """As much of a client as a question for trades needs."""

    def __init__(self, exchange: WindowedVenue | BinanceTrades) -> None:
        self.exchange = exchange

    async def ready(self) -> WindowedVenue | BinanceTrades:
        return self.exchange

    async def call(self, what: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        return await ask()

    def venue_now_ns(self) -> int:
        return NOW_MS * 1_000_000


def unified_on(venue: WindowedVenue) -> Unified:
    return Unified(cast(CcxtClient, Client(venue)))


async def found(venue: WindowedVenue, after_id: str | None, since_ms: int) -> list[int]:
    unified = unified_on(venue)
    return [int(trade.trade_id) for trade in await unified.trades(SYMBOL, after_id, since_ms * 1_000_000)]


@pytest.mark.parametrize(("idle_days", "questions"), [(30, 6), (0.1, 1)])
async def test_a_fill_after_a_month_of_quiet_is_found(idle_days: float, questions: int) -> None:
    last_ms = NOW_MS - int(idle_days * DAY_MS)
    venue = WindowedVenue({1: last_ms, 2: NOW_MS - 5_000}, most=500)

    assert ([2], questions) == (await found(venue, "1", last_ms - 60_000), venue.asked)


async def test_what_is_older_than_the_time_asked_for_stays_out_of_the_newest_page() -> None:
    opened_ms = NOW_MS - 3 * DAY_MS
    venue = WindowedVenue({1: opened_ms - DAY_MS, 2: NOW_MS - 5_000}, most=500)

    assert [2] == await found(venue, None, opened_ms)


async def test_a_page_that_the_venue_cuts_is_not_the_last() -> None:
    """More trades within the margin before the cursor than a page holds: the first page brings nothing new."""
    since_ms = NOW_MS - 90_000
    venue = WindowedVenue({number: since_ms + number * 300 for number in range(1, 251)}, most=100)

    assert list(range(201, 251)) == await found(venue, "200", since_ms)


@pytest.mark.parametrize("window_days", [1, 2, 7])
async def test_what_lies_between_two_windows_and_now_is_found(window_days: int) -> None:
    """Trades in windows of which neither the first page nor the newest tells, quiet ones between them."""
    from_ms = NOW_MS - 40 * DAY_MS
    ago = {1: 40, 2: 25, 3: 24.9, 4: 12, 5: 0.01}
    trades = {number: NOW_MS - int(days * DAY_MS) for number, days in ago.items()}
    venue = WindowedVenue(trades, most=500, window_days=window_days, newest=1)

    assert [2, 3, 4, 5] == await found(venue, "1", from_ms)


async def test_what_the_newest_of_a_time_push_out_is_asked_for() -> None:
    since_ms = NOW_MS - 15_000
    venue = NewestFirst({number: since_ms + number * 10 for number in range(1, 451)}, most=100)
    venue.id = "okx"

    assert list(range(1, 451)) == await found(venue, None, since_ms)


async def test_a_long_quiet_is_walked_once() -> None:
    from_ms = NOW_MS - 40 * DAY_MS
    venue = WindowedVenue({1: from_ms}, most=500, window_days=1)
    unified = unified_on(venue)
    for _ in range(3):
        assert [] == await unified.trades(SYMBOL, "1", from_ms * 1_000_000)
    walked = venue.asked
    for _ in range(3):
        assert [] == await unified.trades(SYMBOL, "1", from_ms * 1_000_000)

    assert venue.asked == walked + 3
    venue.trades[2] = NOW_MS - 5_000
    assert ["2"] == [trade.trade_id for trade in await unified.trades(SYMBOL, "1", from_ms * 1_000_000)]


async def test_what_was_told_is_told_again_until_the_cursor_passes_it() -> None:
    from_ms = NOW_MS - 40 * DAY_MS
    venue = WindowedVenue({1: from_ms, 2: NOW_MS - 20 * DAY_MS}, most=500, window_days=1, newest=0)
    unified = unified_on(venue)
    for _ in range(3):
        assert ["2"] == [trade.trade_id for trade in await unified.trades(SYMBOL, "1", from_ms * 1_000_000)]


class BinanceTrades:
    """Tells trades as Binance documents it: a day from `startTime`, ids from `fromId`, else the newest ones."""

    def __init__(self, trades: dict[int, int], most: int = 1000, order_id: int = 7) -> None:
        self.markets = {SYMBOL: {"symbol": SYMBOL, "id": "EURUSDT", "spot": True}}
        self._trades = trades
        self._order_id = order_id
        self.asked: list[dict[str, Any]] = []

    async def private_get_mytrades(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        self.asked.append(params)
        told = list(self._trades)
        if "startTime" in params:
            start_ms = params["startTime"]
            told = [each for each in told if start_ms <= self._trades[each] <= start_ms + DAY_MS]
        if "fromId" in params:
            told = [each for each in told if each >= params["fromId"]]
        whole = "startTime" in params or "fromId" in params
        page = told[: params["limit"]] if whole else told[-params["limit"] :]
        return [self._row(number) for number in page]

    def _row(self, number: int) -> dict[str, Any]:
        return {"id": number, "orderId": self._order_id, "symbol": "EURUSDT", "isBuyer": True, "qty": "1",
                "price": "1.1", "time": self._trades[number], "commission": "0", "commissionAsset": "USDT"}  # fmt: skip


def binance_on(venue: BinanceTrades) -> BinanceSpot:
    return BinanceSpot(cast(CcxtClient, Client(venue)))


async def test_binance_trades_since_an_opening_of_long_ago_are_found() -> None:
    opened_ms = NOW_MS - 40 * DAY_MS
    venue = BinanceTrades({1: opened_ms - DAY_MS, 2: opened_ms + 10 * DAY_MS, 3: NOW_MS - 5_000})
    trades = await binance_on(venue).trades(SYMBOL, None, opened_ms * 1_000_000)

    assert (["2", "3"], 1) == ([trade.trade_id for trade in trades], len(venue.asked))


async def test_binance_trades_since_long_ago_are_found_beyond_the_newest_page() -> None:
    opened_ms = NOW_MS - 40 * DAY_MS
    venue = BinanceTrades({number: opened_ms + (number - 1000) * 60_000 for number in range(1, 3501)})
    trades = await binance_on(venue).trades(SYMBOL, None, opened_ms * 1_000_000)

    assert [str(number) for number in range(1000, 3501)] == [trade.trade_id for trade in trades]


async def test_all_trades_of_an_order_of_many_pages_are_found() -> None:
    venue = BinanceTrades(dict.fromkeys(range(1, 2502), NOW_MS - 5_000))
    trades = await binance_on(venue).trades_of(SYMBOL, "7")

    assert [str(number) for number in range(1, 2502)] == [trade.trade_id for trade in trades]
    assert {7} == {params["orderId"] for params in venue.asked}
