"""`init`: writes the commented config file, ready to run on the practice venue."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from trading_orchestrator.app.settings import DEFAULT_CONFIG, practice_toml
from trading_orchestrator.cli.options import JsonOption
from trading_orchestrator.cli.reading import as_json as json_line
from trading_orchestrator.errors import Refused


def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = DEFAULT_CONFIG,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a commented config file."""
    text = practice_toml().read_text(encoding="utf-8")
    try:
        with path.open("w" if force else "x") as file:
            file.write(text)
    except FileExistsError:
        raise Refused(f"{path} exists; edit it, or replace it with: trading-orchestrator init --force {path}") from None
    except OSError as error:
        raise Refused(f"cannot write {path}: {error.strerror}; choose another place") from None
    start = ["trading-orchestrator", "run", "--practice", "--config", str(path)]
    print(
        json_line({"wrote": str(path), "start": start}) if as_json else f"wrote {path}; start with: {shlex.join(start)}"
    )
