"""Candles of the public tape, one series for each of Binance's intervals of fixed length.

They begin with the process: market trades are not in the venue's log, so a restart starts them anew.
"""

from collections import deque
from decimal import Decimal

import msgspec

from trading_orchestrator.practice_venue.facts import ZERO

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
FIRST_MONDAY_MS = 4 * DAY_MS
INTERVALS_MS = {
    "1s": SECOND_MS,
    **{f"{count}m": count * MINUTE_MS for count in (1, 3, 5, 15, 30)},
    **{f"{count}h": count * HOUR_MS for count in (1, 2, 4, 6, 8, 12)},
    **{f"{count}d": count * DAY_MS for count in (1, 3)},
    "1w": WEEK_MS,
}
KEPT = 1_500
"""A day of minutes, for the 24 h statistics, and a little more."""


class Candle(msgspec.Struct, gc=False):
    """`closes_ms` is its last millisecond, as Binance has it."""

    opens_ms: int
    closes_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    qty: Decimal = ZERO
    quote_qty: Decimal = ZERO
    trades: int = 0
    taker_buy_qty: Decimal = ZERO
    taker_buy_quote_qty: Decimal = ZERO
    first_id: int = -1
    last_id: int = -1


class Series:
    """The candles of one interval without gaps: an interval without trades is flat."""

    def __init__(self, length_ms: int) -> None:
        self._length_ms = length_ms
        self._starts_ms = FIRST_MONDAY_MS if length_ms == WEEK_MS else 0
        self._candles: deque[Candle] = deque(maxlen=KEPT)

    def add(self, trade_id: int, at_ms: int, price: Decimal, qty: Decimal, *, buyer_is_maker: bool) -> None:
        """Take one trade in. A time that steps back counts to the newest candle."""
        if self._candles:
            self._roll(at_ms)
        else:
            self._open(at_ms, price)
        candle = self._candles[-1]
        if not candle.trades:
            candle.open = candle.high = candle.low = price
            candle.first_id = trade_id
        candle.high, candle.low, candle.close = max(candle.high, price), min(candle.low, price), price
        candle.qty += qty
        candle.quote_qty += price * qty
        candle.trades += 1
        candle.last_id = trade_id
        if not buyer_is_maker:
            candle.taker_buy_qty += qty
            candle.taker_buy_quote_qty += price * qty

    def until(self, at_ms: int) -> deque[Candle]:
        """Return the candles, oldest first, up to the one that the moment lies in; empty before the first trade."""
        if self._candles:
            self._roll(at_ms)
        return self._candles

    def _roll(self, at_ms: int) -> None:
        last = self._candles[-1]
        missing = (at_ms - last.opens_ms) // self._length_ms
        for number in range(max(1, missing - KEPT + 1), missing + 1):
            self._open(last.opens_ms + number * self._length_ms, last.close)

    def _open(self, at_ms: int, price: Decimal) -> None:
        opens_ms = at_ms - (at_ms - self._starts_ms) % self._length_ms
        self._candles.append(Candle(opens_ms, opens_ms + self._length_ms - 1, price, price, price, price))


class Candles:
    """Every interval of one market."""

    def __init__(self) -> None:
        self._series = {interval: Series(length_ms) for interval, length_ms in INTERVALS_MS.items()}

    def add(self, trade_id: int, at_ms: int, price: Decimal, qty: Decimal, *, buyer_is_maker: bool) -> None:
        """Take one trade of the tape in."""
        for series in self._series.values():
            series.add(trade_id, at_ms, price, qty, buyer_is_maker=buyer_is_maker)

    def of(self, interval: str, at_ms: int) -> deque[Candle] | None:
        """Return the candles of an interval up to the moment, None for an interval that is not kept."""
        series = self._series.get(interval)
        return None if series is None else series.until(at_ms)
