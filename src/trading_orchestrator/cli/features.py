"""`features`: switches of the operations wing, followed by every node of the data directory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from trading_orchestrator.app import settings as hall
from trading_orchestrator.cli import reading
from trading_orchestrator.cli.display import Column, screen, show_table
from trading_orchestrator.cli.options import ConfigOption, DataDirOption, JsonOption
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.perpetual_operations.feature_table import NAMES
from trading_orchestrator.perpetual_operations.features import PROJECTION, Switched, check_feature, switch
from trading_orchestrator.storage.ports import FactStore
from trading_orchestrator.storage.sqlite import open_store

NODE = "operator"
NameArgument = Annotated[str, typer.Argument(help=f"The feature: {', '.join(NAMES)}.")]
ByOption = Annotated[str, typer.Option("--by", help="Who takes the decision; stands in the journal for ever.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why.")]


def build() -> typer.Typer:
    """Return the sub-commands."""
    app = typer.Typer(help="Switch parts of operations on and off, with name and reason.", no_args_is_help=True)
    app.command("list")(list_)
    app.command("on")(on)
    app.command("off")(off)
    return app


def list_(config: ConfigOption = None, data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """List what was switched by hand; everything else is as the config says."""

    async def question(store: FactStore) -> Sequence[Switched]:
        return [msgspec.json.decode(row.value, type=Switched) for row in await store.rows(PROJECTION)]

    found = reading.ask(config, data_dir, question)
    if as_json:
        print(reading.as_json(found))
        return
    if not found:
        print("nothing was switched by hand: everything is as the config says")
        return
    rows = [(one.feature, "on" if one.on else "off", one.by, one.reason) for one in found]
    show_table(screen(), "Features", [Column(title) for title in ("feature", "is", "by", "reason")], rows)


def on(
    name: NameArgument,
    by: ByOption,
    reason: ReasonOption,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Switch a feature on."""
    _switch(name, True, by, reason, config, data_dir)
    _tell(name, True, as_json)


def off(
    name: NameArgument,
    by: ByOption,
    reason: ReasonOption,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Switch a feature off."""
    _switch(name, False, by, reason, config, data_dir)
    _tell(name, False, as_json)


def _switch(name: str, turn_on: bool, by: str, reason: str, config: ConfigOption, data_dir: DataDirOption) -> None:
    check_feature(name, NAMES)

    async def append() -> None:
        clock = SystemClock()
        store = await open_store(hall.find_data_dir(config, data_dir) / hall.JOURNAL_FILE, clock=clock, create=False)
        try:
            await switch(store, name, turn_on, by=by, reason=reason, node=NODE, at_ns=clock.wall_ns())
        finally:
            await store.close()

    asyncio.run(append())


def _tell(name: str, turned_on: bool, as_json: bool) -> None:
    if as_json:
        print(reading.as_json({"feature": name, "on": turned_on}))
        return
    print(f"{name} is switched {'on' if turned_on else 'off'}; running nodes follow within a second")
