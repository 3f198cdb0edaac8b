"""`soak`: hours at load with random drills, and whether memory, descriptors, tasks, logs and disk stay bounded."""

from __future__ import annotations

import shutil
import signal
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from trading_orchestrator.cli.drill import KeepOption, refuse_live
from trading_orchestrator.cli.options import ConfigOption

DRILLS_IN_ALL = 12
DRILL_EVERY_S = 300.0


def soak(
    hours: Annotated[float, typer.Option("--hours", min=0.005, help="How long, in hours.")] = 2.0,
    report_to: Annotated[
        Path | None, typer.Option("--report", help="Where to keep the report (Markdown), every process in it.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same drills in the same order.")] = 1,
    orders_per_s: Annotated[float, typer.Option("--orders-per-s", min=0.1, max=200, help="What is asked for.")] = 20.0,
    drill_every_s: Annotated[
        float | None,
        typer.Option("--drill-every-s", min=0, help="Pause between drills, 0 for none; else five minutes or less."),
    ] = None,
    config: ConfigOption = None,
    keep: KeepOption = None,
) -> None:
    """Run a system on practice money at load; exit 1 when a bound is broken or the judge finds anything.

    Ctrl-C ends it early, with a report.
    """
    from rich.console import Console

    from trading_orchestrator.cli.display import Column, screen, show_table
    from trading_orchestrator.drills.arena import arena
    from trading_orchestrator.drills.soak import SoakPlan
    from trading_orchestrator.drills.soak import soak as run_soak
    from trading_orchestrator.drills.soak_report import HEADS, cells, report, summary
    from trading_orchestrator.kernel.clock import SystemClock

    if config is not None:
        refuse_live(config)
    pause_s = min(DRILL_EVERY_S, hours * 3600 / DRILLS_IN_ALL) if drill_every_s is None else drill_every_s
    plan = SoakPlan(hours, seed, orders_per_s, pause_s)
    folder = keep or Path(tempfile.mkdtemp(prefix="soak-"))
    folder.mkdir(parents=True, exist_ok=True)
    told = Console(stderr=True, highlight=False)
    ended: list[int] = []
    drills = f"a drill each {pause_s:.0f} s" if pause_s else "no drills"
    told.print(f"soak: {hours:g} h, seed {seed}, {orders_per_s:g} orders/s, {drills}, in {folder} …", soft_wrap=True)
    try:
        with arena(folder, orders_per_s=orders_per_s) as place:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda number, frame: ended.append(number))
            soaked = run_soak(
                place,
                plan,
                SystemClock(),
                ends=lambda: bool(ended),
                tell=lambda said: told.print(said, markup=False, soft_wrap=True),
            )
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    if report_to is not None:
        report_to.write_text(report(soaked))
    judged = [line for line in soaked.lines if line.slope_per_h is not None or line.wrong]
    out = screen()
    show_table(out, "Soak", [Column(title) for title in HEADS], [cells(line) for line in judged or soaked.lines])
    out.print(summary(soaked), soft_wrap=True)
    for wrong in soaked.broken:
        out.print(f"BROKEN: {wrong}", markup=False, soft_wrap=True)
    if soaked.broken:
        raise typer.Exit(1)
