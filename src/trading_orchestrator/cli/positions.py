"""`positions`: what each desk holds, at what cost, and what it has earned."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from trading_orchestrator.cli.display import Column, amounts, rounded, screen, show_table
from trading_orchestrator.cli.options import ConfigOption, DataDirOption, JsonOption
from trading_orchestrator.cli.reading import as_json as json_line
from trading_orchestrator.cli.reading import ask, check_desk, fields_of
from trading_orchestrator.storage.ports import FactStore

MOST = 10_000
COLUMNS = (
    Column("desk"),
    Column("symbol"),
    Column("quantity", number=True),
    Column("average cost", number=True),
    Column("realized", number=True),
    Column("fees", number=True),
    Column("trades", number=True),
)


def positions(
    desk: Annotated[str | None, typer.Option("--desk", help="Only this desk.")] = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the position of each desk in each symbol. Reads only; works beside a running system and without one."""
    found = ask(config, data_dir, lambda store: _found(store, desk))
    if as_json:
        print(json_line({"positions": found}))
    elif not found:
        print("no position yet: nothing has traded")
    else:
        show_table(screen(), "Positions", COLUMNS, [_cells(row) for row in found])


async def _found(store: FactStore, desk: str | None) -> list[dict[str, Any]]:
    await check_desk(store, desk)
    rows = [fields_of(row) for row in await store.rows("positions", limit=MOST)]
    kept = [row for row in rows if desk in (None, row["desk"])]
    return sorted(kept, key=lambda row: (row["desk"], row["symbol"]))


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    quote = row["symbol"].rpartition("/")[2]
    realized = f"{rounded(row['realized'])} {quote}"
    return row["desk"], row["symbol"], row["qty"], rounded(row["avg_px"]), realized, amounts(row["fees"]), row["trades"]
