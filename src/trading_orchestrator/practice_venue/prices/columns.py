"""Rows of bars, quotes or trades as a path, told apart by the names of their columns."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from statistics import median
from typing import TypeVar

from trading_orchestrator.practice_venue.prices.bars import Bar, BarPath
from trading_orchestrator.practice_venue.prices.path import Path, Tick
from trading_orchestrator.practice_venue.prices.recording import RecordedPath

Row = Mapping[str, str]
T = TypeVar("T")
TIME_NAMES = ("time", "ts", "timestamp", "event_ms", "trade_ms", "ts_recv_ns")
OHLC = ("open", "high", "low", "close")


class RowUnusable(ValueError):
    """A row says nothing that can be played; `index` counts from 0."""

    def __init__(self, index: int, why: str) -> None:
        super().__init__(why)
        self.index = index


def path_of(rows: Sequence[Row]) -> Path:
    """Return the path that the rows describe; their column names are in lower case.

    Raises:
        RowUnusable: one row describes none. ValueError: the columns, or all rows together, do not.
    """
    columns = rows[0].keys()
    times_s = _times_s(rows)
    if set(OHLC) <= columns:
        return _bars(rows, times_s)
    if {"bid", "ask"} <= columns:
        return _quotes(rows, times_s)
    if "price" in columns:
        return _trades(rows, times_s)
    raise ValueError(f"expected columns open/high/low/close, bid/ask or price, was {', '.join(columns)}")


def _bars(rows: Sequence[Row], times_s: Sequence[float]) -> BarPath:
    bars = _each(rows, _bar)
    gaps_s = [after - before for before, after in zip(times_s, times_s[1:], strict=False)]
    bar_s = median(gaps_s)
    if bar_s <= 0:
        first = next(index for index, gap_s in enumerate(gaps_s, start=1) if gap_s <= 0)
        raise RowUnusable(first, "time: expected a later one than that of the bar before, was the same or earlier")
    return BarPath(bars, bar_s=bar_s, tick_size=_finest(rows, OHLC))


def _bar(row: Row) -> Bar:
    bar = Bar(*(_price(row, name) for name in OHLC))
    if not bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high:
        said = ", ".join(f"{name} {row[name]}" for name in OHLC)
        raise ValueError(f"expected open and close between low and high, was {said}")
    return bar


def _quotes(rows: Sequence[Row], times_s: Sequence[float]) -> RecordedPath:
    ticks = _each(rows, _quote)
    tick_size = _finest(rows, ("bid", "ask"))
    return RecordedPath(times_s, ticks, tick_size=tick_size, step_size=_step(rows, ("bid_qty", "ask_qty"), tick_size))


def _quote(row: Row) -> Tick:
    bid, ask = _price(row, "bid"), _price(row, "ask")
    if bid > ask:
        raise ValueError(f"expected a bid that is not above the ask, was {bid} and {ask}")
    quoted = _qty(row, "bid_qty"), _qty(row, "ask_qty")
    return Tick(bid, ask, *quoted, traded_price=bid, traded_qty=Decimal(0), seller_took=True)


def _trades(rows: Sequence[Row], times_s: Sequence[float]) -> RecordedPath:
    prices = _each(rows, lambda row: _price(row, "price"))
    qtys = _each(rows, lambda row: _qty(row, "qty"))
    tick_size = _finest(rows, ("price",))
    ticks = []
    for row, price, qty in zip(rows, prices, qtys, strict=True):
        sold = (row.get("buyer_is_maker") or "").lower() in ("true", "1")
        bid, ask = (price, price + tick_size) if sold else (price - tick_size, price)
        ticks.append(Tick(bid, ask, None, None, price, qty, seller_took=sold))
    return RecordedPath(times_s, ticks, tick_size=tick_size, step_size=_step(rows, ("qty",), tick_size))


def _each(rows: Sequence[Row], read: Callable[[Row], T]) -> list[T]:
    found = []
    for index, row in enumerate(rows):
        try:
            found.append(read(row))
        except ValueError as error:
            raise RowUnusable(index, str(error)) from error
    return found


def _price(row: Row, name: str) -> Decimal:
    price = _number(row, name)
    if not price > 0:
        raise ValueError(f"{name}: expected a price above 0, was {row[name]}")
    return price


def _qty(row: Row, name: str) -> Decimal | None:
    if not row.get(name):
        return None
    qty = _number(row, name)
    if qty < 0:
        raise ValueError(f"{name}: expected no quantity below 0, was {row[name]}")
    return qty


def _number(row: Row, name: str) -> Decimal:
    text = row.get(name)
    if not text:
        raise ValueError(f"{name}: expected a number, was nothing")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{name}: expected a number, was {text!r}") from None
    if not number.is_finite():
        raise ValueError(f"{name}: expected a finite number, was {text}")
    return number


def _finest(rows: Sequence[Row], names: Sequence[str]) -> Decimal:
    return Decimal(1).scaleb(-_decimals(rows, names))


def _step(rows: Sequence[Row], names: Sequence[str], tick_size: Decimal) -> Decimal:
    """Return the recorded quantity step, no finer than 8 decimals of a quote amount leave room for."""
    present = [name for name in names if name in rows[0]]
    room = 8 + int(tick_size.log10())
    return Decimal(1).scaleb(-min(room, _decimals(rows, present) if present else 1))


def _decimals(rows: Sequence[Row], names: Sequence[str]) -> int:
    """Return the most decimals of any number there, 1.5e-3 being four."""
    return max(_decimals_of(row[name]) for row in rows for name in names)


def _decimals_of(text: str) -> int:
    if "e" not in text.lower():
        return len(text.strip().rstrip("0").partition(".")[2])
    exponent = Decimal(text).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _times_s(rows: Sequence[Row]) -> list[float]:
    name = next((name for name in TIME_NAMES if name in rows[0]), None)
    if name is None:
        raise ValueError(f"expected a time column named one of {', '.join(TIME_NAMES)}, was {', '.join(rows[0])}")
    return _each(rows, lambda row: _time_s(row.get(name) or "", name))


def _time_s(text: str, name: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return _moment_s(text, name)
    if not math.isfinite(number):
        raise ValueError(f"{name}: expected a time, was {text}")
    for unit_per_s in (1e9, 1e6, 1e3):  # the size of an epoch tells its unit
        if number >= 1e8 * unit_per_s:
            return number / unit_per_s
    return number


def _moment_s(text: str, name: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name}: expected a time, was {text!r}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
