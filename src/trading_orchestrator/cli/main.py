"""`trading-orchestrator`: gathers the commands and turns errors into one sentence and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from trading_orchestrator.errors import OrchestratorError

FAILED, WRONG_USE = 1, 2
COMMANDS = (
    "run",
    "init",
    "status",
    "desks",
    "capacity",
    "desk",
    "orders",
    "positions",
    "journal",
    "alerts",
    "config",
    "incidents",
    "features",
    "circuits",
    "drill",
    "soak",
    "simulate",
    "vault",
    "venue",
    "watchdog",
    "version",
)
"""As help lists them. Each is a module here, with a function of its name, or with `build` when it has sub-commands."""


def build(names: Sequence[str] = COMMANDS) -> typer.Typer:
    """Return the command tree, or the part of it that has these commands."""
    app = typer.Typer(
        name="trading-orchestrator",
        help="Runs trading strategies for months without losing or doubling an order.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in names:
        _add(app, name)
    return app


def _add(app: typer.Typer, name: str) -> None:
    module = import_module(f"{__package__}.{name}")
    if hasattr(module, "build"):
        app.add_typer(module.build(), name=name)
    else:
        app.command(name, context_settings=getattr(module, "PASS_THROUGH", None))(getattr(module, name))


def _asked_for(arguments: Sequence[str]) -> Sequence[str]:
    """Return the one command to import, so that a short answer does not wait for all; all where help may be needed."""
    first = next((each for each in arguments if not each.startswith("-")), "")
    return (first,) if first in COMMANDS else COMMANDS


def _print_version(wanted: bool) -> None:
    if wanted:
        from trading_orchestrator.cli.version import version

        version()
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
        build(_asked_for(sys.argv[1:]))()
    except OrchestratorError as error:
        print(f"trading-orchestrator: {error.message}", file=sys.stderr)
        sys.exit(WRONG_USE if error.code.startswith("config.") else FAILED)
    except BrokenPipeError:  # `… | head` has seen enough; nothing more may be flushed into the pipe at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(130)
