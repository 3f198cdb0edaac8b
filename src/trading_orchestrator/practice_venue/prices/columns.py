"""Rows of bars, quotes or trades as a path, told apart by the names of their columns."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median

from trading_orchestrator.practice_venue.prices.bars import Bar, BarPath
from trading_orchestrator.practice_venue.prices.path import Path, Tick
from trading_orchestrator.practice_venue.prices.recording import RecordedPath

Row = Mapping[str, str]
TIME_NAMES = ("time", "ts", "timestamp", "event_ms", "trade_ms", "ts_recv_ns")


def path_of(rows: Sequence[Row]) -> Path:
    """Return the path that the rows describe. Raises KeyError, InvalidOperation, ValueError: they describe none."""
    columns = rows[0].keys()
    times_s = _times_s(rows)
    if {"open", "high", "low", "close"} <= columns:
        return _bars(rows, times_s)
    if {"bid", "ask"} <= columns:
        return _quotes(rows, times_s)
    if "price" in columns:
        return _trades(rows, times_s)
    raise ValueError(f"expected columns open/high/low/close, bid/ask or price, was {', '.join(columns)}")


def _bars(rows: Sequence[Row], times_s: Sequence[float]) -> BarPath:
    names = ("open", "high", "low", "close")
    bars = [Bar(*(Decimal(row[name]) for name in names)) for row in rows]
    gaps_s = [after - before for before, after in zip(times_s, times_s[1:], strict=False)]
    return BarPath(bars, bar_s=median(gaps_s), tick_size=_finest(rows, names))


def _quotes(rows: Sequence[Row], times_s: Sequence[float]) -> RecordedPath:
    ticks = []
    for row in rows:
        bid, ask = Decimal(row["bid"]), Decimal(row["ask"])
        quoted = _optional(row, "bid_qty"), _optional(row, "ask_qty")
        ticks.append(Tick(bid, ask, *quoted, traded_price=bid, traded_qty=Decimal(0), seller_took=True))
    tick_size = _finest(rows, ("bid", "ask"))
    return RecordedPath(times_s, ticks, tick_size=tick_size, step_size=_step(rows, ("bid_qty", "ask_qty"), tick_size))


def _trades(rows: Sequence[Row], times_s: Sequence[float]) -> RecordedPath:
    tick_size = _finest(rows, ("price",))
    ticks = []
    for row in rows:
        price = Decimal(row["price"])
        sold = row.get("buyer_is_maker", "").lower() in ("true", "1")
        bid, ask = (price, price + tick_size) if sold else (price - tick_size, price)
        ticks.append(Tick(bid, ask, None, None, price, _optional(row, "qty"), seller_took=sold))
    return RecordedPath(times_s, ticks, tick_size=tick_size, step_size=_step(rows, ("qty",), tick_size))


def _optional(row: Row, name: str) -> Decimal | None:
    return Decimal(row[name]) if row.get(name) else None


def _finest(rows: Sequence[Row], names: Sequence[str]) -> Decimal:
    return Decimal(1).scaleb(-_decimals(rows, names))


def _step(rows: Sequence[Row], names: Sequence[str], tick_size: Decimal) -> Decimal:
    """Return the recorded quantity step, no finer than 8 decimals of a quote amount leave room for."""
    present = [name for name in names if name in rows[0]]
    room = 8 + int(tick_size.log10())
    return Decimal(1).scaleb(-min(room, _decimals(rows, present) if present else 1))


def _decimals(rows: Sequence[Row], names: Sequence[str]) -> int:
    return max(len(row[name].rstrip("0").partition(".")[2]) for row in rows for name in names)


def _times_s(rows: Sequence[Row]) -> list[float]:
    name = next((name for name in TIME_NAMES if name in rows[0]), None)
    if name is None:
        raise ValueError(f"expected a time column named one of {', '.join(TIME_NAMES)}, was {', '.join(rows[0])}")
    return [_time_s(row[name]) for row in rows]


def _time_s(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    for unit_per_s in (1e9, 1e6, 1e3):  # the size of an epoch tells its unit
        if number >= 1e8 * unit_per_s:
            return number / unit_per_s
    return number
