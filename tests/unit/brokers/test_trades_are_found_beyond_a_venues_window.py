"""Asked from a time on, a venue may tell of a week from there, a hundred rows a page: newer trades are found too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from trading_orchestrator.brokers.ccxt.client import CcxtClient
from trading_orchestrator.brokers.ccxt.unified import Unified

SYMBOL = "EUR/USDT"
DAY_MS = 86_400_000
NOW_MS = 1_700_000_000_000


class WindowedVenue:
    """Tells trades as KuCoin documents it: a week from `since`, or the last one; `most` rows a page, oldest first."""

    def __init__(self, trades: dict[int, int], most: int) -> None:
        self._trades = trades
        self._most = most
        self.asked = 0

    async def fetch_my_trades(self, symbol: str, since: int | None, limit: int) -> list[dict[str, Any]]:
        self.asked += 1
        from_ms = NOW_MS - 7 * DAY_MS if since is None else since
        told = [number for number, at_ms in self._trades.items() if from_ms <= at_ms <= from_ms + 7 * DAY_MS]
        most = min(limit, self._most)
        page = told[-most:] if since is None else told[:most]
        return [self._row(symbol, number) for number in page]

    def _row(self, symbol: str, number: int) -> dict[str, Any]:
        at_ms = self._trades[number]
        return {"id": str(number), "order": "7", "symbol": symbol, "side": "buy", "amount": 1.0, "price": 1.1,
                "timestamp": at_ms, "fee": {"cost": 0.0, "currency": "USDT"}, "info": {}}  # fmt: skip


class Client:
    """As much of a client as a question for trades needs."""

    def __init__(self, exchange: WindowedVenue) -> None:
        self.exchange = exchange

    async def ready(self) -> WindowedVenue:
        return self.exchange

    async def call(self, what: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        return await ask()

    def venue_now_ns(self) -> int:
        return NOW_MS * 1_000_000


async def found(venue: WindowedVenue, after_id: str | None, since_ms: int) -> list[int]:
    unified = Unified(cast(CcxtClient, Client(venue)))
    return [int(trade.trade_id) for trade in await unified.trades(SYMBOL, after_id, since_ms * 1_000_000)]


@pytest.mark.parametrize(("idle_days", "questions"), [(30, 2), (0.1, 1)])
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
