"""`desk`: a named person sets a desk's mode, or throws its kill switch; the desk follows and answers."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from trading_orchestrator.app import settings as hall
from trading_orchestrator.cli.options import ConfigOption, DataDirOption
from trading_orchestrator.cli.reading import check_desk
from trading_orchestrator.kernel.clock import SystemClock
from trading_orchestrator.storage.ports import NewFact
from trading_orchestrator.storage.sqlite import open_store
from trading_orchestrator.trading.mode_requests import adjustment_requested, mode_requested

NODE = "operator"
NameArgument = Annotated[str, typer.Argument(help="The desk.")]
ByOption = Annotated[str, typer.Option("--by", help="Who takes the decision; stands in the journal for ever.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why.")]


def build() -> typer.Typer:
    """Return the sub-commands."""
    app = typer.Typer(help="Set a desk's mode, with name and reason.", no_args_is_help=True)
    app.command("halt")(halt)
    app.command("drain")(drain)
    app.command("reduce")(reduce)
    app.command("resume")(resume)
    app.command("kill")(kill)
    app.command("adjust")(adjust)
    return app


def halt(
    name: NameArgument, by: ByOption, reason: ReasonOption, config: ConfigOption = None, data_dir: DataDirOption = None
) -> None:
    """Send no new order; what rests stays, and may be canceled."""
    _ask(name, "halted", by, reason, config, data_dir)


def drain(
    name: NameArgument, by: ByOption, reason: ReasonOption, config: ConfigOption = None, data_dir: DataDirOption = None
) -> None:
    """Send no new order, as before a planned stop; what rests may end by itself."""
    _ask(name, "draining", by, reason, config, data_dir)


def reduce(
    name: NameArgument, by: ByOption, reason: ReasonOption, config: ConfigOption = None, data_dir: DataDirOption = None
) -> None:
    """Send only orders that bring the position closer to flat."""
    _ask(name, "reduce_only", by, reason, config, data_dir)


def resume(
    name: NameArgument, by: ByOption, reason: ReasonOption, config: ConfigOption = None, data_dir: DataDirOption = None
) -> None:
    """Trade normally again; this also lifts the kill switch."""
    _ask(name, "normal", by, reason, config, data_dir)


def kill(
    name: NameArgument, by: ByOption, reason: ReasonOption, config: ConfigOption = None, data_dir: DataDirOption = None
) -> None:
    """Send nothing, cancel everything of ours, verify it twice; holds over restarts until `resume`."""
    _ask(name, "killed", by, reason, config, data_dir)


def adjust(
    name: NameArgument,
    asset: Annotated[str, typer.Argument(help="The asset that moved.")],
    qty: Annotated[str, typer.Argument(help="How much more of it there is than trades explain; less: -- -5.")],
    by: ByOption,
    reason: ReasonOption,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Explain a balance that trades do not: a deposit, a withdrawal, a transfer."""
    request = adjustment_requested(name, asset, Decimal(qty), by=by, reason=reason)
    asyncio.run(_append(hall.find_data_dir(config, data_dir), name, request))
    print(f"asked desk {name} to book {qty} {asset} as explained by {by}")


def _ask(desk: str, mode: str, by: str, reason: str, config: Path | None, data_dir: Path | None) -> None:
    request = mode_requested(desk, mode, by=by, reason=reason)
    asyncio.run(_append(hall.find_data_dir(config, data_dir), desk, request))
    print(f"asked desk {desk} to be {mode.replace('_', ' ')}; whoever holds it follows at once: see `desks`")


async def _append(data_dir: Path, desk: str, request: NewFact) -> None:
    store = await open_store(data_dir / hall.JOURNAL_FILE, clock=SystemClock(), create=False)
    try:
        await check_desk(store, desk)
        await store.append([request], node=NODE, fence=None)
    finally:
        await store.close()
