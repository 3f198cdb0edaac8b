"""`orders`: lists orders, and explains one of them by every fact that the journal has of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from trading_orchestrator.cli.display import (
    Column,
    counted,
    local_moment,
    local_time,
    offset,
    rounded,
    screen,
    show_table,
    toned,
)
from trading_orchestrator.cli.options import ConfigOption, DataDirOption, JsonOption
from trading_orchestrator.cli.reading import as_json as json_line
from trading_orchestrator.cli.reading import ask, check_desk, fields_of
from trading_orchestrator.storage.ports import FactStore
from trading_orchestrator.trading.explain import Line, Story, explain
from trading_orchestrator.trading.orders.life import ORDER_LIFE, At

PAGE = 1_000
_CLOSED = {at.value for at in ORDER_LIFE.terminal}
DeskOption = Annotated[str | None, typer.Option("--desk", help="Only this desk.")]
COLUMNS = (
    Column("cl_ord_id"),
    Column("desk"),
    Column("strategy"),
    Column("symbol"),
    Column("side"),
    Column("qty", number=True),
    Column("price", number=True),
    Column("status", status=True),
    Column("traded", number=True),
    Column("average", number=True),
    Column("created"),
)


class Status(StrEnum):
    """What `--status` takes: every state of an order, and `open` for all that are not closed."""

    OPEN = "open"
    PENDING_NEW = At.PENDING_NEW.value
    NEW = At.NEW.value
    PARTIALLY_FILLED = At.PARTIALLY_FILLED.value
    FILLED = At.FILLED.value
    CANCELED = At.CANCELED.value
    EXPIRED = At.EXPIRED.value
    REJECTED = At.REJECTED.value
    UNKNOWN = At.UNKNOWN.value
    QUARANTINED = At.QUARANTINED.value
    ABANDONED = At.ABANDONED.value


def build() -> typer.Typer:
    """Return the sub-commands."""
    app = typer.Typer(help="List orders, and explain one of them.", no_args_is_help=True)
    app.callback()(lambda: None)
    app.command("list")(list_orders)
    app.command("explain")(explain_order)
    return app


def list_orders(
    desk: DeskOption = None,
    status: Annotated[
        Status | None, typer.Option("--status", help="Only orders that stand so; `open`: all that are not closed.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")] = 20,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """List orders, last changed first. Reads only; works beside a running system and without one."""
    found = ask(config, data_dir, lambda store: _found(store, desk, status, limit))
    if as_json:
        print(json_line({"orders": found}))
        return
    if not found:
        print("no such order" if desk or status else "no order yet")
        return
    console = screen()
    more = "; --limit shows more" if len(found) == limit else ""
    show_table(console, f"{counted(len(found), 'order')}, last changed first{more}", COLUMNS, _cells(found))
    console.print("the whole story of one: trading-orchestrator orders explain CL_ORD_ID", style="dim")


async def _found(store: FactStore, desk: str | None, status: Status | None, limit: int) -> list[dict[str, Any]]:
    await check_desk(store, desk)
    found: list[dict[str, Any]] = []
    before_pos: int | None = None
    while len(found) < limit:
        page = await store.rows("orders", before_pos=before_pos, limit=PAGE)
        rows = [fields_of(row) for row in page]
        found += [row for row in rows if desk in (None, row["desk"]) and _is_at(status, row["state"])]
        if len(page) < PAGE:
            break
        before_pos = page[-1].pos
    return found[:limit]


def _is_at(status: Status | None, state: str) -> bool:
    return status is None or status.value == state or (status is Status.OPEN and state not in _CLOSED)


def _cells(found: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    return [
        (
            *(row[key] for key in ("cl_ord_id", "desk")),
            "not ours" if row["foreign"] else row["strategy"],
            *(row[key] for key in ("symbol", "side", "order_qty", "px", "state", "cum_qty")),
            rounded(row["avg_px"]),
            local_moment(row["created_ns"]),
        )
        for row in found
    ]


def explain_order(
    order_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="cl_ord_id, venue order id or intent id; an unambiguous beginning of one will do."
        ),
    ],
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell the whole story of one order: every fact with its source and time, and where it stands now.

    Reads only; works beside a running system and without one.
    """
    story = ask(config, data_dir, lambda store: explain(store, order_id))
    if as_json:
        print(json_line(story))
    else:
        _tell(screen(), story)


def _tell(console: Console, story: Story) -> None:
    named = [f"order {story.cl_ord_id}"]
    named += [f"intent {story.intent_id}"] if story.intent_id else []
    named += [f"venue order {story.venue_order_id}"] if story.venue_order_id else []
    console.print(escape(" · ".join(named)), style="bold", soft_wrap=True)
    if story.lines:
        where = f"desk {story.desk} · {story.symbol} · began {local_moment(story.lines[0].at_ns)} (local time)"
        console.print(escape(where), style="dim", soft_wrap=True)
    widths = _Widths(story.lines)
    shown_by: tuple[str, int] | None = None
    for line in story.lines:
        if (line.node, line.epoch) != shown_by:
            shown_by = (line.node, line.epoch)
            console.print(escape(f"-- node {line.node}, epoch {line.epoch}"), style="dim", soft_wrap=True)
        _print_line(console, line, widths)
    console.print(f"{toned(story.state)}: {escape(story.standing)}", style="bold", soft_wrap=True)


class _Widths:
    """How wide the columns before the sentence are."""

    def __init__(self, lines: tuple[Line, ...]) -> None:
        self.offset = max((len(offset(line.offset_ms)) for line in lines), default=0)
        self.source = max((len(line.source) for line in lines), default=0)
        self.state = max((len(line.state) for line in lines), default=0)


def _print_line(console: Console, line: Line, widths: _Widths) -> None:
    since = offset(line.offset_ms).rjust(widths.offset)
    lead = f"{local_time(line.at_ns)}  {since}  {line.source.ljust(widths.source)}  "
    gap = " " * (widths.state - len(line.state))
    console.print(f"{escape(lead)}{toned(line.state)}{gap}  {escape(line.sentence)}", soft_wrap=True)
    for detail in line.details:
        console.print(" " * (len(lead) + widths.state + 4) + escape(detail), style="dim", soft_wrap=True)
