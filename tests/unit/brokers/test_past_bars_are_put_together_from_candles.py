"""A fresh strategy gets the bars that closed before it came: joined from candles, aligned, closed, oldest first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

import pytest

from trading_orchestrator.brokers.ccxt.history import MOST_CANDLES, recent_bars
from trading_orchestrator.brokers.port import NoAnswer
from trading_orchestrator.errors import OrchestratorError, Transient
from trading_orchestrator.kernel.clock import VirtualClock
from trading_orchestrator.market.port import Bar, Instrument, Quote, Trade, past_of
from trading_orchestrator.trading.strategies.bar_history import BarHistory

SYMBOL = "EUR/USDT"
S = 1_000_000_000


class Candles:
    """A venue with a candle for each of its lengths since the beginning of time, up to `now_s`."""

    def __init__(self, lengths: Sequence[int], now_s: int = 1_000_000) -> None:
        self.candle_lengths = lengths
        self.now_s = now_s
        self.asked: list[tuple[int, int]] = []
        self.without_trades: set[int] = set()

    async def candles(self, symbol: str, candle_s: int, since_ns: int, limit: int) -> list[Bar]:
        self.asked.append((candle_s, since_ns // S))
        opens = range(since_ns // S, self.now_s, candle_s)[:limit]
        return [candle(symbol, at, candle_s, 0 if at in self.without_trades else 2) for at in opens]


def candle(symbol: str, open_s: int, length_s: int, qty: int) -> Bar:
    px = Decimal(open_s % 100)
    return Bar(symbol, open_s * S, (open_s + length_s) * S, px, px + 3, px - 3, px + 1, Decimal(qty))


async def bars_of(venue: Candles, bar_s: int, last: int) -> list[Bar]:
    return await recent_bars(venue, SYMBOL, bar_s, last=last, venue_now_ns=venue.now_s * S)  # type: ignore[arg-type]


async def test_the_longest_candle_that_fits_is_asked_for() -> None:
    venue = Candles([1, 60, 300, 3600])

    await bars_of(venue, 900, 4)

    assert {300} == {candle_s for candle_s, _ in venue.asked}


async def test_bars_are_closed_aligned_and_joined_exactly() -> None:
    venue = Candles([60])

    bars = await bars_of(venue, 300, 3)

    ends_s = venue.now_s - venue.now_s % 300
    assert [(ends_s - back) * S for back in (900, 600, 300)] == [bar.open_ns for bar in bars]
    parts = [candle(SYMBOL, ends_s - 300 + minute * 60, 60, 2) for minute in range(5)]
    expected = Bar(
        SYMBOL,
        parts[0].open_ns,
        ends_s * S,
        parts[0].open_px,
        max(part.high_px for part in parts),
        min(part.low_px for part in parts),
        parts[-1].close_px,
        Decimal(10),
    )
    assert expected == bars[-1]


async def test_a_span_without_trades_has_no_bar_and_lends_no_price() -> None:
    venue = Candles([60], now_s=999_900)  # a multiple of 300
    silent = venue.now_s - 600
    venue.without_trades = {silent + minute * 60 for minute in range(5)} | {venue.now_s - 300}

    bars = await bars_of(venue, 300, 3)

    assert [venue.now_s - 900, venue.now_s - 300] == [bar.open_ns // S for bar in bars]
    assert (candle(SYMBOL, venue.now_s - 240, 60, 2).open_px, Decimal(8)) == (bars[-1].open_px, bars[-1].volume_qty)


async def test_many_bars_are_asked_for_page_by_page_and_not_without_end() -> None:
    venue = Candles([1])

    assert 500 == len(await bars_of(venue, 5, 500))
    assert 3 == len(venue.asked)
    venue.asked.clear()
    assert MOST_CANDLES // 60 == len(await bars_of(venue, 60, 500))
    assert 5 == len(venue.asked)


async def test_a_length_that_no_candle_fits_has_no_past() -> None:
    assert [] == await bars_of(Candles([60]), 90, 10)


class PastFeed:
    """A feed that tells bars of the past, after so many failures."""

    def __init__(self, past: Sequence[Bar], failures: int = 0, error: OrchestratorError | None = None) -> None:
        self._past = past
        self._failures = failures
        self._error = error or NoAnswer("no")
        self.asked = 0

    async def bars(self, symbol: str, bar_s: int, *, last: int) -> Sequence[Bar]:
        self.asked += 1
        if self._failures:
            self._failures -= 1
            raise self._error
        return self._past[-last:]

    async def instruments(self) -> Sequence[Instrument]:
        return []

    async def events(self, symbols: Sequence[str]) -> AsyncIterator[Quote | Trade]:
        return
        yield

    async def close(self) -> None:
        pass


def trade(at_s: int) -> Trade:
    return Trade(SYMBOL, str(at_s), Decimal(7), Decimal(1), at_ns=at_s * S, received_ns=0)


async def test_past_bars_come_before_own_ones_and_never_twice() -> None:
    history = BarHistory(kept=100, clock=VirtualClock(), random_bytes=bytes)
    history.want(SYMBOL, 60)
    for at_s in (30, 70, 130, 190):  # the bar that was open at 30 is left out
        history.on_event(trade(at_s))
    feed = PastFeed([candle(SYMBOL, open_s, 60, 2) for open_s in (-120, -60, 0, 60)])
    assert feed is past_of(feed)

    await history.fill(feed)

    assert [-120, -60, 0, 60, 120] == [bar.open_ns // S for bar in history.closed(SYMBOL, 60)]
    assert Decimal(7) == history.closed(SYMBOL, 60)[3].close_px
    assert 60 * S == history.filled_until_ns(SYMBOL, 60)


async def test_the_bar_that_was_open_when_we_came_is_asked_for_once_it_has_closed() -> None:
    history = BarHistory(kept=100, clock=VirtualClock(), random_bytes=bytes)
    history.want(SYMBOL, 60)
    await history.fill(PastFeed([candle(SYMBOL, -60, 60, 2)]))
    holes = [history.has_hole(history.on_event(trade(at_s))) for at_s in (30, 70, 110)]
    assert [False] * 3 == holes

    closed = history.on_event(trade(130))  # the first bar that we saw whole
    assert history.has_hole(closed)
    await history.fill(PastFeed([candle(SYMBOL, open_s, 60, 2) for open_s in (-60, 0, 60)]))

    assert [-60, 0, 60] == [bar.open_ns // S for bar in history.closed(SYMBOL, 60)]
    assert not history.has_hole(history.on_event(trade(190)))


@pytest.mark.parametrize("error", [NoAnswer("no"), Transient("not sent")])
async def test_a_question_that_brought_no_answer_is_asked_again(error: OrchestratorError) -> None:
    history = BarHistory(kept=100, clock=VirtualClock(), random_bytes=bytes)
    history.want(SYMBOL, 60)

    await history.fill(PastFeed([candle(SYMBOL, -60, 60, 2)], failures=2, error=error))

    assert [-60] == [bar.open_ns // S for bar in history.closed(SYMBOL, 60)]


async def test_a_feed_that_does_not_answer_is_asked_as_the_budget_allows_and_leaves_the_series_to_grow() -> None:
    history = BarHistory(kept=100, clock=VirtualClock(), random_bytes=bytes)
    series = [(SYMBOL, 60 * number) for number in range(1, 21)]
    for symbol, bar_s in series:
        history.want(symbol, bar_s)
    feed = PastFeed([], failures=10**6)

    await history.fill(feed)

    assert ((), 0) == (history.closed(SYMBOL, 60), history.filled_until_ns(SYMBOL, 60))
    assert len(series) + 3 <= feed.asked <= len(series) + 3 + len(series) // 10, "three at first, then one in ten"
