"""How the commands show times, numbers, statuses and tables: bare in a pipe, coloured on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trading_orchestrator.kernel.money import plain

PIPED_WIDTH = 240
SHOWN_PLACES = 8
TONES = {
    "new": "cyan", "partially_filled": "cyan", "pending_new": "yellow", "filled": "green", "canceled": "dim",
    "expired": "dim", "abandoned": "dim", "rejected": "red", "unknown": "yellow", "quarantined": "bold red",
    "normal": "green", "reduce_only": "yellow", "draining": "yellow", "halted": "bold red",
    "killed": "bold white on red", "unarmed": "bold yellow",
}  # fmt: skip


class Column(NamedTuple):
    """One column: `number` aligns right, `status` is coloured by its word."""

    title: str
    number: bool = False
    status: bool = False


def screen() -> Console:
    """Return where to print. A pipe is wide, so that nothing is cut off or wrapped."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(width=PIPED_WIDTH, highlight=False)


def show_table(console: Console, title: str, columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; cells are escaped, None is a dash."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column.title, justify="right" if column.number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(column, value) for column, value in zip(columns, row, strict=True)))
    console.print(table)


def _cell(column: Column, value: object) -> str:
    text = "–" if value is None or value == "" else str(value)
    return toned(text) if column.status else escape(text)


def toned(status: str) -> str:
    """Return a status as rich's markup; the colour only repeats what the word says."""
    tone = TONES.get(status)
    return f"[{tone}]{escape(status)}[/]" if tone else escape(status)


def local_moment(at_ns: int) -> str:
    """Return date and time where the operator sits, to the millisecond, with the offset from UTC."""
    if at_ns <= 0:
        return ""
    at = _from_ns(at_ns).astimezone()
    return at.strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03d}" + at.strftime("%z")


def local_time(at_ns: int) -> str:
    """Return the time of day where the operator sits, to the millisecond."""
    at = _from_ns(at_ns).astimezone()
    return at.strftime("%H:%M:%S.") + f"{at.microsecond // 1000:03d}"


def counted(count: int, thing: str) -> str:
    """Return how many there are of a thing, in words that fit one as well."""
    return f"{count:,} {thing}{'s' * (count != 1)}"


def offset(ms: float) -> str:
    """Return a span since the beginning in a unit that fits."""
    sign, ms = ("-" if ms < 0 else "+"), abs(ms)
    if ms < 1_000:
        return f"{sign}{ms:.1f} ms"
    if ms < 600_000:
        return f"{sign}{ms / 1_000:.3f} s"
    minutes = ms / 60_000
    return f"{sign}{minutes:.1f} min" if minutes < 600 else f"{sign}{minutes / 60:.1f} h"


def rounded(amount: str | None) -> str | None:
    """Return a decimal to eight places, as fine as a venue quotes; the JSON has every digit."""
    return plain(round(Decimal(amount), SHOWN_PLACES)) if amount is not None else None


def amounts(by_asset: Mapping[str, str]) -> str:
    """Return amounts with their assets, sorted."""
    return ", ".join(f"{rounded(amount)} {asset}" for asset, amount in sorted(by_asset.items()))


def _from_ns(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // 1_000_000_000, UTC).replace(microsecond=at_ns // 1_000 % 1_000_000)
