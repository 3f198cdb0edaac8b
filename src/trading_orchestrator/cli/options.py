"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="TOML file; without it ./trading-orchestrator.toml when it exists."),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where journal and state are kept; without it what the config says, else data."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
