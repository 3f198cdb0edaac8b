"""Reads a price file, CSV or Parquet, as a path."""

import csv
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path as FilePath

from trading_orchestrator.practice_venue.prices.columns import Row, RowUnusable, path_of
from trading_orchestrator.practice_venue.prices.parquet_file import ParquetUnreadable, read_parquet
from trading_orchestrator.practice_venue.prices.path import Path

SHIPPED = "eurusd_1h_2017.csv"


class PricesUnreadable(Exception):
    """The file is not a usable price file; the text says what was expected."""


def read_prices(file: FilePath | None) -> Path:
    """Return the path of a CSV or Parquet file, or of the EURUSD hours of 2017 that ship with the venue.

    Columns, in upper or lower case: a time (ISO 8601, epoch s, ms, us, ns, or a Parquet timestamp) and either open,
    high, low, close; or bid, ask (bid_qty, ask_qty); or price (qty, buyer_is_maker).

    Raises:
        PricesUnreadable: it is no such file; the sentence names it, and the line that is wrong.
    """
    name = str(file or SHIPPED)
    try:
        places, rows = _rows(file)
    except (OSError, UnicodeDecodeError, csv.Error, ParquetUnreadable) as error:
        raise PricesUnreadable(f"{name}: {error}") from error
    if len(rows) < 2:
        raise PricesUnreadable(f"{name}: expected at least two rows below a header line, was {len(rows)}")
    try:
        return path_of(rows)
    except RowUnusable as error:
        raise PricesUnreadable(f"{name}: {places[error.index]}: {error}") from error
    except ValueError as error:
        raise PricesUnreadable(f"{name}: {error}") from error


def _rows(file: FilePath | None) -> tuple[Sequence[str], Sequence[Row]]:
    """Return what to call each row, and the rows, with the names of the columns in lower case."""
    if file is None:
        return _csv_rows((files(__package__) / SHIPPED).read_text(encoding="utf-8"))
    if file.suffix == ".parquet":
        rows = [{name.strip().lower(): value for name, value in row.items()} for row in read_parquet(file)]
        return [f"row {number}" for number in range(1, len(rows) + 1)], rows
    return _csv_rows(file.read_text(encoding="utf-8-sig"))


def _csv_rows(text: str) -> tuple[list[str], list[dict[str, str]]]:
    """Return the lines that are rows; a cell that a short line lacks is empty, what a long one has too much is left."""
    places: list[str] = []
    rows: list[dict[str, str]] = []
    reader = csv.reader(text.splitlines())
    names = [name.strip().lower() for name in next(reader, [])]
    for cells in reader:
        if cells:
            places.append(f"line {reader.line_num}")
            rows.append(dict(zip(names, [*cells, *[""] * (len(names) - len(cells))], strict=False)))
    return places, rows
