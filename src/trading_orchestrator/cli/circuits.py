"""`circuits`: the breakers of the process that serves the console, and an operator's word on them."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from trading_orchestrator.cli.console_calls import UrlOption, call
from trading_orchestrator.cli.display import Column, screen, show_table
from trading_orchestrator.cli.options import ConfigOption, JsonOption
from trading_orchestrator.cli.reading import as_json as json_line

NameArgument = Annotated[str, typer.Argument(help="As `circuits list` names it, e.g. channel/sms.")]
ByOption = Annotated[str, typer.Option("--by", help="Who takes the decision; stands in the journal for ever.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why.")]
LIST = (
    Column("circuit"),
    Column("is", status=True),
    Column("calls", number=True),
    Column("failed", number=True),
    Column("slow", number=True),
    Column("refused", number=True),
    Column("asked again in", number=True),
)


def build() -> typer.Typer:
    """Return the sub-commands."""
    app = typer.Typer(help="See circuit breakers, and open or close one by hand.", no_args_is_help=True)
    app.command("list")(list_)
    app.command("open")(open_)
    app.command("close")(close)
    return app


def list_(url: UrlOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List every circuit: its state, and the calls of its present window."""
    found = call("/api/circuits", url=url, config=config)
    if as_json:
        print(json_line(found))
        return
    if not found["circuits"]:
        print(f"node {found['node']} has no circuits")
        return
    keys = ("name", "state", "calls", "failed", "slow", "refused_total")
    rows = [(*(one[key] for key in keys), f"{one['retry_after_s']:g} s") for one in found["circuits"]]
    show_table(screen(), f"Circuits of node {found['node']}", LIST, rows)


def open_(
    name: NameArgument,
    by: ByOption,
    reason: ReasonOption,
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse every call until `close`; a critical message of a channel is tried all the same."""
    _move(name, "open", by, reason, url, config, as_json)


def close(
    name: NameArgument,
    by: ByOption,
    reason: ReasonOption,
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let calls through again, and forget the bad ones."""
    _move(name, "close", by, reason, url, config, as_json)


def _move(name: str, what: str, by: str, reason: str, url: UrlOption, config: ConfigOption, as_json: bool) -> None:
    said = call(f"/api/circuits/{quote(name)}/{what}", {"by": by, "reason": reason}, url=url, config=config)
    if as_json:
        print(json_line(said))
        return
    print(f"circuit {said['circuit']} is {said['state'].replace('_', ' ')}")
