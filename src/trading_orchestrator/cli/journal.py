"""`journal`: questions to the journal file itself."""

from __future__ import annotations

import sys

import msgspec
import typer

from trading_orchestrator.app import settings as hall
from trading_orchestrator.cli.options import ConfigOption, DataDirOption, JsonOption
from trading_orchestrator.journal.verify import VerifyReport, verify


def build() -> typer.Typer:
    """Return the sub-commands."""
    app = typer.Typer(help="Questions to the journal file.", no_args_is_help=True)
    app.callback()(lambda: None)
    app.command("verify")(verify_journal)
    return app


def verify_journal(config: ConfigOption = None, data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Check every stream's hash chain; exit 1 and name the first broken link if there is one. Reads only."""
    report = verify(hall.find_data_dir(config, data_dir) / hall.JOURNAL_FILE)
    print(msgspec.json.encode(report).decode() if as_json else _sentence(report))
    sys.exit(0 if report.ok else 1)


def _sentence(report: VerifyReport) -> str:
    whole = f"{report.facts:,} facts in {report.streams} streams"
    if report.broken is None:
        return f"verified: {whole}, every link holds up to pos {report.last_pos}"
    link = report.broken
    where = f"stream {link.stream} at seq {link.seq} (pos {link.pos})" if link.stream else f"pos {link.pos}"
    return (
        f"BROKEN at {where}: {link.what}\n{whole} before it read back as written. "
        "Stop the program, keep this file, and restore the last backup."
    )
