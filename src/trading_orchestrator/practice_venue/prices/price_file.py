"""Reads a price file, CSV or Parquet, as a path."""

import csv
from collections.abc import Sequence
from decimal import InvalidOperation
from importlib.resources import files
from pathlib import Path as FilePath

from trading_orchestrator.practice_venue.prices.columns import Row, path_of
from trading_orchestrator.practice_venue.prices.parquet_file import ParquetUnreadable, read_parquet
from trading_orchestrator.practice_venue.prices.path import Path

SHIPPED = "eurusd_1h_2017.csv"


class PricesUnreadable(Exception):
    """The file is not a usable price file; the text says what was expected."""


def read_prices(file: FilePath | None) -> Path:
    """Return the path of a CSV or Parquet file, or of the EURUSD hours of 2017 that ship with the venue.

    Columns: a time (ISO 8601, epoch s, ms, us, ns, or a Parquet timestamp) and either open, high, low, close; or
    bid, ask (bid_qty, ask_qty); or price (qty, buyer_is_maker).
    """
    name = str(file or SHIPPED)
    try:
        rows = _rows(file)
    except (OSError, UnicodeDecodeError, ParquetUnreadable) as error:
        raise PricesUnreadable(f"{name}: {error}") from error
    if len(rows) < 2:
        raise PricesUnreadable(f"{name}: expected at least two rows below a header line, was {len(rows)}")
    try:
        return path_of(rows)
    except (KeyError, InvalidOperation, ValueError) as error:
        raise PricesUnreadable(f"{name}: {error}") from error


def _rows(file: FilePath | None) -> Sequence[Row]:
    if file is None:
        return _csv_rows((files(__package__) / SHIPPED).read_text(encoding="utf-8"))
    if file.suffix == ".parquet":
        return read_parquet(file)
    return _csv_rows(file.read_text(encoding="utf-8"))


def _csv_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))
