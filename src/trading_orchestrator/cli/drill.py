"""`drill`: real faults against a real system on practice money, and a table of what became of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from trading_orchestrator.app import settings as hall
from trading_orchestrator.cli.display import Column, screen, show_table
from trading_orchestrator.cli.options import ConfigOption, JsonOption
from trading_orchestrator.cli.reading import as_json as json_line
from trading_orchestrator.drills.catalogue import DRILLS, drill_named
from trading_orchestrator.drills.drill import Outcome
from trading_orchestrator.drills.exercise import exercise_all
from trading_orchestrator.drills.report import HEADS, figures, percentiles, report
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.clock import SystemClock

ORDERS_PER_S = 20.0
NamesArgument = Annotated[list[str], typer.Argument(help="Drills by name, or `all`.")]
REPORTS, REPORTS_KEPT = "drill-reports", 50
REPORT_NAMES = "[0-9]" * 8 + "T" + "[0-9]" * 6 + "Z.md"
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report",
        help=f"Where to keep the report (Markdown), else in {REPORTS} of the data directory, {REPORTS_KEPT} at most.",
    ),
]
KeepOption = Annotated[
    Path | None, typer.Option("--keep", help="Keep journal and logs in this directory, not in one that goes away.")
]


class LiveDesk(Refused):
    """A desk of this config trades real money. Facts: desk."""

    code = "drill.live_desk"


def build() -> typer.Typer:
    """Return the sub-commands."""
    app = typer.Typer(help="Drills: break a system on practice money, and see what it does.", no_args_is_help=True)
    app.command("list")(list_)
    app.command("run")(run)
    return app


def list_(as_json: JsonOption = False) -> None:
    """List the drills."""
    if as_json:
        print(json_line({"drills": [{"drill": one.name, "what": one.what} for one in DRILLS]}))
        return
    rows = [(drill.name, drill.what) for drill in DRILLS]
    show_table(screen(), "Drills", [Column(title) for title in ("drill", "what happens")], rows)


def run(
    names: NamesArgument,
    config: ConfigOption = None,
    report_to: ReportOption = None,
    keep: KeepOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run drills on a system that is started for them; exit 1 if one of them failed."""
    if config is not None:
        refuse_live(config)
    drills = list(DRILLS) if "all" in names else [drill_named(name) for name in names]
    clock = SystemClock()
    kept = report_to or default_report(config, clock.wall_ns())
    folder = keep or Path(tempfile.mkdtemp(prefix="drill-"))
    folder.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    outcomes: list[Outcome] = []

    def tell(outcome: Outcome) -> None:
        console.print(f"{len(outcomes) + 1}/{len(drills)} {_line(outcome)}")
        outcomes.append(outcome)

    try:
        console.print(f"starting venue and system in {folder} …")
        exercise_all(drills, folder, clock, orders_per_s=ORDERS_PER_S, tell=tell)
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(report(drills, outcomes))
    if report_to is None:
        keep_newest(kept.parent)
    console.print(f"report: {kept}", soft_wrap=True)
    print(msgspec.json.encode(outcomes).decode()) if as_json else _show(outcomes)
    if not all(outcome.passed for outcome in outcomes):
        raise typer.Exit(1)


def default_report(config: Path | None, wall_ns: int) -> Path:
    """Return where a report is kept when nobody says: beside the data of a config, else where we stand."""
    place = Path() if config is None else hall.read_settings(config).data_dir
    when = datetime.fromtimestamp(wall_ns / 1e9, UTC)
    return place / REPORTS / f"{when:%Y%m%dT%H%M%SZ}.md"


def keep_newest(folder: Path) -> None:
    """Remove all but the newest reports; whatever has another name than we give stays."""
    for old in sorted(folder.glob(REPORT_NAMES))[:-REPORTS_KEPT]:
        old.unlink(missing_ok=True)


def refuse_live(config: Path) -> None:
    """Refuse a config with a desk on real money.

    Raises:
        LiveDesk: the sentence names it.
    """
    settings = hall.read_settings(config).settings
    for name, desk in settings.trading.desk.items():
        if settings.brokers[desk.broker].moves_real_money:
            raise LiveDesk(
                f"desk {name} trades real money (brokers.{desk.broker}): drills run on practice money only",
                desk=name,
            )


def _line(outcome: Outcome) -> str:
    verdict = "passed" if outcome.passed else f"FAILED: {'; '.join(outcome.wrongs[:3])}"
    return f"{outcome.drill}: {verdict}"


def _show(outcomes: Sequence[Outcome]) -> None:
    console = screen()
    rows = [(outcome.drill, *figures(outcome)) for outcome in outcomes]
    show_table(console, "Drills", [Column(title) for title in (HEADS[0], *HEADS[2:])], rows)
    console.print(percentiles(outcomes))
