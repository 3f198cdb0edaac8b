"""Price files: the same rows in CSV and in Parquet are the same path; without pyarrow one sentence says so."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from trading_orchestrator.practice_venue.prices import price_file
from trading_orchestrator.practice_venue.prices.parquet_file import ParquetUnreadable, read_parquet
from trading_orchestrator.practice_venue.prices.price_file import PricesUnreadable, read_prices

pyarrow = pytest.importorskip("pyarrow", reason="reading Parquet needs the extra `parquet`")
BEGIN = datetime(2017, 1, 2, tzinfo=UTC)


def write_parquet(file: Path, columns: dict[str, list[Any]], **types: Any) -> Path:
    import pyarrow.parquet

    arrays = {name: pyarrow.array(values, types.get(name)) for name, values in columns.items()}
    pyarrow.parquet.write_table(pyarrow.table(arrays), file)
    return file


def write_csv(file: Path, columns: dict[str, list[Any]]) -> Path:
    rows = zip(*columns.values(), strict=True)
    file.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n")
    return file


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_bars_are_the_same_path(tmp_path: Path, unit: str) -> None:
    times = [BEGIN + timedelta(hours=hour) for hour in range(3)]
    prices: dict[str, list[Any]] = {
        "open": [1.1, 1.2, 1.3],
        "high": [1.15, 1.25, 1.3],
        "low": [1.05, 1.2, 1.00001],
        "close": [1.12, 1.21, 1.1],
    }
    stamps = {"time": times}
    parquet = write_parquet(tmp_path / "bars.parquet", stamps | prices, time=pyarrow.timestamp(unit, "UTC"))
    csv = write_csv(tmp_path / "bars.csv", {"time": [time.isoformat() for time in times]} | prices)

    of_parquet, of_csv = read_prices(parquet), read_prices(csv)

    assert Decimal("0.00001") == of_parquet.tick_size == of_csv.tick_size
    assert of_csv.span_s() == of_parquet.span_s()
    assert [of_csv.tick(index) for index in range(180)] == [of_parquet.tick(index) for index in range(180)]


def test_trades_of_tiny_price_keep_their_step(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {
        "trade_ms": [1_483_315_200_000, 1_483_315_200_250],
        "price": [1e-05, 2e-05],
        "qty": [3.0, None],
        "buyer_is_maker": [True, False],
    }

    path = read_prices(write_parquet(tmp_path / "trades.parquet", columns))

    assert Decimal("0.00001") == path.tick_size
    first, second = path.tick(0), path.tick(1)
    assert (Decimal("0.00001"), Decimal(3), True) == (first.traded_price, first.traded_qty, first.seller_took)
    assert (Decimal("0.00002"), None, False) == (second.traded_price, second.traded_qty, second.seller_took)
    assert 0.25 == path.time_of(1)


def test_without_pyarrow_the_sentence_says_what_to_install(tmp_path: Path) -> None:
    def not_installed(name: str) -> Any:
        raise ImportError(name)

    with pytest.raises(ParquetUnreadable, match=r"pip install 'trading-orchestrator\[parquet\]'"):
        read_parquet(tmp_path / "any.parquet", not_installed)


@pytest.mark.parametrize("content", [None, b"no parquet at all"])
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "broken.parquet"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(PricesUnreadable, match=r"broken\.parquet"):
        price_file.read_prices(file)
