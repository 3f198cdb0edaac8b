"""Prices: bars expand along open, extremes and close; recordings keep their distances; both loop for ever."""

from decimal import Decimal
from pathlib import Path

import pytest

from trading_orchestrator.practice_venue.prices.bars import TICKS_PER_BAR, TICKS_PER_LEG, Bar, BarPath
from trading_orchestrator.practice_venue.prices.price_file import PricesUnreadable, read_prices

RISING = Bar(*(Decimal(text) for text in ("1.00", "1.50", "0.80", "1.20")))
FALLING = Bar(*(Decimal(text) for text in ("1.20", "1.50", "0.80", "1.00")))


def walked(bar: Bar) -> list[Decimal]:
    path = BarPath([bar], bar_s=60, tick_size=Decimal("0.01"))
    return [path.tick(index).traded_price for index in range(TICKS_PER_BAR)]


def test_a_rising_bar_falls_to_its_low_first() -> None:
    prices = walked(RISING)

    assert (Decimal("1.00"), Decimal("0.80"), Decimal("1.50"), Decimal("1.20")) == (
        prices[0],
        prices[TICKS_PER_LEG - 1],
        prices[2 * TICKS_PER_LEG - 1],
        prices[-1],
    )


def test_a_falling_bar_rises_to_its_high_first() -> None:
    prices = walked(FALLING)

    assert (Decimal("1.50"), Decimal("0.80"), Decimal("1.00")) == (
        prices[TICKS_PER_LEG - 1],
        prices[2 * TICKS_PER_LEG - 1],
        prices[-1],
    )


def test_every_price_lies_on_a_tick_within_the_bar() -> None:
    prices = walked(RISING)

    assert {Decimal(0)} == {price % Decimal("0.01") for price in prices}
    assert (RISING.low, RISING.high) == (min(prices), max(prices))


def test_after_the_last_bar_comes_the_first() -> None:
    path = BarPath([RISING, FALLING], bar_s=60, tick_size=Decimal("0.01"))

    assert path.tick(2 * TICKS_PER_BAR + 5).traded_price == path.tick(5).traded_price
    assert 2 * TICKS_PER_BAR == path.index_at(path.span_s())


def test_the_shipped_hours_are_those_of_2017() -> None:
    path = read_prices(None)

    first, second = path.tick(0), path.tick(TICKS_PER_LEG - 1)
    assert 6225 * 3600 == path.span_s()
    assert (Decimal("0.00001"), Decimal("0.1")) == (path.tick_size, path.step_size)
    assert (Decimal("1.05236"), Decimal("1.05253")) == (first.traded_price, second.traded_price)
    assert (Decimal("1.05235"), Decimal("1.05237")) == (first.bid, first.ask)


@pytest.mark.parametrize(
    ("stamps", "seconds"),
    [
        (("2024-01-01T00:00:00Z", "2024-01-01T00:00:02Z", "2024-01-01T00:00:05Z"), [0, 2, 5]),
        (("1723161258585", "1723161260585", "1723161263585"), [0, 2, 5]),
        (("1723161258585000000", "1723161260585000000", "1723161263585000000"), [0, 2, 5]),
        (("0", "2", "3600"), [0, 2, 62]),
    ],
)
def test_recorded_trades_keep_their_distances_but_no_long_gap(
    tmp_path: Path, stamps: tuple[str, ...], seconds: list[int]
) -> None:
    file = tmp_path / "trades.csv"
    rows = [f"{stamp},100.5,0.25,{sold}\n" for stamp, sold in zip(stamps, ("true", "false", "true"), strict=True)]
    file.write_text("time,price,qty,buyer_is_maker\n" + "".join(rows), encoding="utf-8")

    path = read_prices(file)

    assert seconds == [round(path.time_of(index)) for index in range(3)]
    assert [True, False, True] == [path.tick(index).seller_took for index in range(3)]
    assert [0, 1, 2, 3] == [path.index_at(path.time_of(index) + 0.001) for index in range(4)]
    assert Decimal("0.01") == path.step_size


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PricesUnreadable, match="absent"):
        read_prices(tmp_path / "absent.csv")


BARS, QUOTES, TRADES = "time,open,high,low,close\n", "time,bid,ask,bid_qty\n", "time,price,qty\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{BARS}0,1,1,1,1\n60,1,1\n", "line 3: low: expected a number, was nothing"),
        (f"{BARS}0,1,1,1,1\n0,1,1,1,1\n", "line 3: time: expected a later one than that of the bar before"),
        (f"{BARS}0,1,1,1,1\n\n60,1,1,1,nan\n", "line 4: close: expected a finite number, was nan"),
        (f"{BARS}0,1,1,1,1\n60,-1,1,-1,1\n", "line 3: open: expected a price above 0, was -1"),
        (f"{BARS}0,1,2,3,1\n60,1,1,1,1\n", "line 2: expected open and close between low and high"),
        (f"{QUOTES}0,1,1.1,5\n1,1.2,1.1,5\n", "line 3: expected a bid that is not above the ask, was 1.2 and 1.1"),
        (f"{QUOTES}0,1,1.1,5\n1,1,1.1,-5\n", "line 3: bid_qty: expected no quantity below 0, was -5"),
        (f"{QUOTES}0,1,1.1,5\n1,1,inf,5\n", "line 3: ask: expected a finite number, was inf"),
        (f"{TRADES}0,1,1\n1,many,1\n", "line 3: price: expected a number, was 'many'"),
        (f"{TRADES}0,1,1\n1,1,nan\n", "line 3: qty: expected a finite number, was nan"),
        (f"{TRADES}nan,1,1\n1,1,1\n", "line 2: time: expected a time, was nan"),
        (f"{TRADES}noon,1,1\n1,1,1\n", "line 2: time: expected a time, was 'noon'"),
        (TRADES, "expected at least two rows"),
        ("", "expected at least two rows"),
        ("time,volume\n0,1\n1,1\n", "expected columns open/high/low/close, bid/ask or price, was time, volume"),
        ("day,price\n0,1\n1,1\n", "expected a time column named one of time, ts,"),
    ],
)
def test_what_cannot_be_played_is_told_with_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "prices.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PricesUnreadable) as refused:
        read_prices(file)

    assert str(refused.value).startswith(f"{file}: {said}")


def test_names_of_columns_may_be_written_as_spreadsheets_do(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("Time, Price,QTY,note\n0,1.5e-3,1\n1,0.0016,2,late,later\n", encoding="utf-8-sig")
    path = read_prices(file)

    assert (Decimal("0.0015"), Decimal(1)) == (path.tick(0).traded_price, path.tick(0).traded_qty)
    assert Decimal("0.0001") == path.tick_size
