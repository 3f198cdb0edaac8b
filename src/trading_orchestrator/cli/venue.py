"""`venue`: becomes the practice venue, a process of its own that shares no code with us."""

from __future__ import annotations

import os
import sys

import typer

PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def venue(context: typer.Context) -> None:
    """Run the practice venue alone: a Binance-Spot-compatible exchange on loopback (`venue --help` for its options)."""
    os.execv(sys.executable, [sys.executable, "-m", "trading_orchestrator.practice_venue", *context.args])
