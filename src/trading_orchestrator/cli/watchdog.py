"""`watchdog`: becomes the watchdog, a process of its own that tells people when the system no longer can."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from trading_orchestrator.app.settings import DEFAULT_CONFIG
from trading_orchestrator.cli.options import ConfigOption, DataDirOption


def watchdog(
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    test: Annotated[bool, typer.Option("--test", help="Tell a test notice by every way, and end.")] = False,
) -> None:
    """Watch a system from outside: mail or post on its own when the system makes no progress."""
    path = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    arguments = ["--config", str(path)] if path is not None else []
    arguments += ["--data-dir", str(data_dir)] if data_dir is not None else []
    arguments += ["--test"] if test else []
    os.execv(sys.executable, [sys.executable, "-m", "trading_orchestrator.watchdog", *arguments])
