"""Candles: every trade in one candle of each interval, and time without trades is a flat candle."""

from decimal import Decimal

from trading_orchestrator.practice_venue.candles import DAY_MS, INTERVALS_MS, KEPT, Candles

MONDAY_MS = 1_483_315_200_000  # 2017-01-02


def candles_of(*trades: tuple[int, str, str]) -> Candles:
    candles = Candles()
    for number, (at_ms, price, qty) in enumerate(trades, start=1):
        candles.add(number, MONDAY_MS + at_ms, Decimal(price), Decimal(qty), buyer_is_maker=number % 2 == 0)
    return candles


def test_a_candle_tells_first_highest_lowest_and_last() -> None:
    candles = candles_of((0, "10", "1"), (100, "12", "2"), (200, "9", "3"), (59_999, "11", "4"))

    (minute,) = candles.of("1m", MONDAY_MS) or []

    assert ["10", "12", "9", "11"] == [str(px) for px in (minute.open, minute.high, minute.low, minute.close)]
    assert (Decimal(10), Decimal(105), 4) == (minute.qty, minute.quote_qty, minute.trades)
    assert (Decimal(4), 1, 4) == (minute.taker_buy_qty, minute.first_id, minute.last_id)


def test_minutes_without_trades_are_flat() -> None:
    candles = candles_of((0, "10", "1"), (180_000, "12", "1"))

    minutes = list(candles.of("1m", MONDAY_MS + 240_000) or [])

    assert ["10", "10", "10", "12", "12"] == [str(minute.close) for minute in minutes]
    assert ["10", "10", "10", "12", "12"] == [str(minute.open) for minute in minutes]
    assert [1, 0, 0, 1, 0] == [minute.trades for minute in minutes]


def test_each_interval_begins_where_binance_begins_it() -> None:
    candles = candles_of((5 * DAY_MS + 13 * 3_600_000 + 7 * 60_000, "10", "1"))  # Saturday, 13:07

    starts_ms = {name: (candles.of(name, 0) or [])[0].opens_ms - MONDAY_MS for name in ("1w", "1d", "12h", "15m")}

    day_ms = 5 * DAY_MS
    assert {"1w": 0, "1d": day_ms, "12h": day_ms + 43_200_000, "15m": day_ms + 13 * 3_600_000} == starts_ms


def test_a_long_silence_costs_no_more_than_what_is_kept() -> None:
    candles = candles_of((0, "10", "1"), (30 * DAY_MS, "12", "1"))

    seconds = list(candles.of("1s", 0) or [])

    assert KEPT == len(seconds)
    assert {1_000} == {after.opens_ms - before.opens_ms for before, after in zip(seconds, seconds[1:], strict=False)}
    assert ("12", MONDAY_MS + 30 * DAY_MS) == (str(seconds[-1].close), seconds[-1].opens_ms)


def test_a_clock_that_steps_back_opens_nothing() -> None:
    candles = candles_of((120_000, "10", "1"), (0, "11", "1"))

    assert [2] == [minute.trades for minute in candles.of("1m", MONDAY_MS) or []]


def test_before_the_first_trade_there_is_none() -> None:
    assert {0} == {len(Candles().of(name, MONDAY_MS) or ()) for name in INTERVALS_MS}
