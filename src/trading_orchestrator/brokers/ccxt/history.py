"""Closed bars of the past, put together from a venue's candles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from trading_orchestrator.brokers.ccxt.dialect import Dialect
from trading_orchestrator.kernel.money import ZERO
from trading_orchestrator.market.port import Bar

PAGE = 1000
MOST_CANDLES = 5000
"""Five pages, 10 of Binance's weight: longer bars are then built from fewer than asked for."""


async def recent_bars(dialect: Dialect, symbol: str, bar_s: int, *, last: int, venue_now_ns: int) -> list[Bar]:
    """Return up to `last` closed bars, oldest first; none when the venue has no candles that fit the length.

    As bars of live trades are: aligned to UTC, and a span without trades has no bar.
    """
    fitting = [each_s for each_s in dialect.candle_lengths if bar_s % each_s == 0]
    if not fitting:
        return []
    candle_s = max(fitting)
    bar_ns = bar_s * 1_000_000_000
    until_ns = venue_now_ns - venue_now_ns % bar_ns
    since_ns = until_ns - min(last, max(1, MOST_CANDLES * candle_s // bar_s)) * bar_ns
    found: list[Bar] = []
    while since_ns < until_ns:
        page = await dialect.candles(symbol, candle_s, since_ns, PAGE)
        fresh = [each for each in page if since_ns <= each.open_ns < until_ns]
        if not fresh:
            break
        found += fresh
        since_ns = fresh[-1].close_ns
    return joined(found, bar_ns)[-last:]


def joined(candles: Iterable[Bar], bar_ns: int) -> list[Bar]:
    """Return the bars that these candles, oldest first, make up."""
    groups = groupby(candles, key=lambda each: each.open_ns - each.open_ns % bar_ns)
    bars = [_bar(open_ns, open_ns + bar_ns, list(group)) for open_ns, group in groups]
    return [bar for bar in bars if bar.volume_qty > ZERO]


def _bar(open_ns: int, close_ns: int, candles: Sequence[Bar]) -> Bar:
    traded = [each for each in candles if each.volume_qty > ZERO] or candles
    return Bar(
        symbol=traded[0].symbol,
        open_ns=open_ns,
        close_ns=close_ns,
        open_px=traded[0].open_px,
        high_px=max(each.high_px for each in traded),
        low_px=min(each.low_px for each in traded),
        close_px=traded[-1].close_px,
        volume_qty=sum((each.volume_qty for each in traded), ZERO),
    )
