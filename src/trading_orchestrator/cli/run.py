"""`run`: becomes the keeper, with two nodes and, for practice, a venue under it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from trading_orchestrator.app.keeper_process import Practice, check_venues, run_keeper
from trading_orchestrator.app.settings import read_settings
from trading_orchestrator.cli.config import remarks_on
from trading_orchestrator.cli.options import ConfigOption, DataDirOption
from trading_orchestrator.kernel.clock import SystemClock

SPEED_MIN, SPEED_MAX = 0.001, 1_000_000


def _bounded(speed: float | None) -> float | None:
    """A range of typer's own lets nan pass; the venue would refuse it, again and again."""
    if speed is not None and not SPEED_MIN <= speed <= SPEED_MAX:
        raise typer.BadParameter(f"expected {SPEED_MIN} to {SPEED_MAX:,}, was {speed}")
    return speed


def run(
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port of the dashboard.")] = None,
    practice: Annotated[
        bool, typer.Option("--practice", help="Start the practice venue too, and trade on recorded real prices.")
    ] = False,
    speed: Annotated[
        float | None,
        typer.Option("--speed", callback=_bounded, help="Practice only: recorded seconds per second, up to 1,000,000."),
    ] = None,
    hold_dir: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Trade, watch and recover until Ctrl-C; the first Ctrl-C stops in order, a second one at once."""
    settings = read_settings(config, data_dir=data_dir, port=port, practice=practice)
    check_venues(settings, practice=practice)
    for remark in remarks_on(settings, practice=practice):
        _say(f"{remark.level}: {remark.key}: {remark.text}")
    run_keeper(settings, practice=Practice(speed=speed) if practice else None, hold_dir=hold_dir, say=_say)


def _say(sentence: str) -> None:
    print(f"{SystemClock().local_time()} keeper: {sentence}", file=sys.stderr, flush=True)
