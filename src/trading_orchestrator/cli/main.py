"""`trading-orchestrator`: gathers the commands and turns errors into one sentence and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from trading_orchestrator.cli import (
    alerts,
    capacity,
    circuits,
    config,
    desk,
    desks,
    drill,
    features,
    incidents,
    init,
    journal,
    orders,
    positions,
    run,
    simulate,
    soak,
    status,
    vault,
    venue,
    version,
    watchdog,
)
from trading_orchestrator.errors import OrchestratorError

FAILED, WRONG_USE = 1, 2


def build() -> typer.Typer:
    """Return the command tree."""
    app = typer.Typer(
        name="trading-orchestrator",
        help="Runs trading strategies for months without losing or doubling an order.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    app.command("run")(run.run)
    app.command("init")(init.init)
    app.command("status")(status.status)
    app.command("desks")(desks.desks)
    app.command("capacity")(capacity.capacity)
    app.add_typer(desk.build(), name="desk")
    app.add_typer(orders.build(), name="orders")
    app.command("positions")(positions.positions)
    app.add_typer(journal.build(), name="journal")
    app.add_typer(alerts.build(), name="alerts")
    app.add_typer(config.build(), name="config")
    app.add_typer(incidents.build(), name="incidents")
    app.add_typer(features.build(), name="features")
    app.add_typer(circuits.build(), name="circuits")
    app.add_typer(drill.build(), name="drill")
    app.command("soak")(soak.soak)
    app.command("simulate")(simulate.simulate)
    app.add_typer(vault.build(), name="vault")
    app.command("venue", context_settings=venue.PASS_THROUGH)(venue.venue)
    app.command("watchdog")(watchdog.watchdog)
    app.command("version")(version.version)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        version.version()
        raise typer.Exit


def _root(
    told: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="As the command `version`.")
    ] = False,
) -> None:
    """The options before a command."""


def main() -> None:
    """Run the command; exit 0 when well, 1 when it failed, 2 on wrong use."""
    try:
        build()()
    except OrchestratorError as error:
        print(f"trading-orchestrator: {error.message}", file=sys.stderr)
        sys.exit(WRONG_USE if error.code.startswith("config.") else FAILED)
    except BrokenPipeError:  # `… | head` has seen enough; nothing more may be flushed into the pipe at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(130)
