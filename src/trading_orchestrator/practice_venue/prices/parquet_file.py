"""Rows of a Parquet file as text, through pyarrow, an extra of the package."""

import importlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

Import = Callable[[str], Any]


class ParquetUnreadable(Exception):
    """The file is no Parquet file, or pyarrow is not installed."""


def read_parquet(file: Path, import_module: Import = importlib.import_module) -> list[dict[str, str]]:
    """Return every row with its values written out; nothing stands as an empty text.

    Args:
        import_module: where pyarrow comes from. By name, not by statement: the venue runs without it.
    """
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError as error:
        raise ParquetUnreadable(
            "expected pyarrow to read Parquet, was not installed: pip install 'trading-orchestrator[parquet]'"
        ) from error
    file.open("rb").close()  # an OSError says more plainly what is wrong with the file than pyarrow does
    try:
        table = parquet.read_table(file)
    except ValueError as error:  # pyarrow's ArrowInvalid
        raise ParquetUnreadable(str(error)) from error
    columns = {name: [_text(value) for value in _values(table[name])] for name in table.column_names}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _values(column: Any) -> list[Any]:
    """Return the values; timestamps as integers of their unit, since Python has no nanoseconds."""
    if str(column.type).startswith("timestamp["):
        return _epochs_ns(column)
    values: list[Any] = column.to_pylist()
    return values


def _epochs_ns(column: Any) -> list[Any]:
    unit = str(column.type).removeprefix("timestamp[").rstrip("]").split(",")[0]
    per_unit_ns = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}[unit]
    return [None if value is None else value * per_unit_ns for value in column.cast("int64").to_pylist()]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}"  # never 1e-05: the digits tell the price step
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).isoformat()
    return str(value)
