"""`incidents`: what broke, what it cost, what repaired it; read from the journal, with or without a system."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown

from trading_orchestrator.app.impact import desk_impact
from trading_orchestrator.cli import reading
from trading_orchestrator.cli.display import Column, screen, show_table
from trading_orchestrator.cli.options import ConfigOption, DataDirOption, JsonOption
from trading_orchestrator.perpetual_operations.incidents.correlation import one_per_cause
from trading_orchestrator.perpetual_operations.incidents.incident import Incident
from trading_orchestrator.perpetual_operations.incidents.read import incident_of, incidents_of, many_incidents
from trading_orchestrator.perpetual_operations.incidents.report import report
from trading_orchestrator.perpetual_operations.recovery.statistics import ClassStatistics, StepStatistics, statistics
from trading_orchestrator.storage.ports import FactStore

LIST = (Column("id"), Column("opened (UTC)"), Column("part"), Column("failure"), Column("state"),
        Column("took", number=True))  # fmt: skip
CLASSES = (Column("failure"), *(Column(name, number=True) for name in ("all", "repaired", "by itself", "unproved",
           "open", "detect p50", "recover p50", "p99")))  # fmt: skip
STEPS = (Column("failure"), Column("step"), *(Column(name, number=True) for name in ("tried", "done", "failed",
         "skipped", "repaired", "took p50", "p99")))  # fmt: skip
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many, newest first.")]
ID_SHOWN = 16  # begins with the time: as many characters name one incident among millions
IdArgument = Annotated[str, typer.Argument(help="An incident's id, or an unambiguous beginning of it.")]


def build() -> typer.Typer:
    """Return the sub-commands."""
    app = typer.Typer(help="Incidents: list them, read a report, count what recovery achieved.", no_args_is_help=True)
    app.command("list")(list_)
    app.command("show")(show)
    app.command("statistics")(show_statistics)
    return app


def list_(
    limit: LimitOption = 20,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """List incidents, those that changed last first."""

    async def question(store: FactStore) -> Sequence[Incident]:
        return one_per_cause(await incidents_of(store, limit=limit))

    found = reading.ask(config, data_dir, question)
    if as_json:
        print(reading.as_json(found))
        return
    if not found:
        print("no incident yet")
        return
    show_table(screen(), "Incidents", LIST, [_line(one) for one in found])


def show(
    incident_id: IdArgument,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the report of one incident; Markdown when the output is not a terminal."""

    async def question(store: FactStore) -> tuple[Incident, Sequence[str]]:
        incident = await incident_of(store, incident_id)
        return incident, await desk_impact(store, incident)

    incident, impact = reading.ask(config, data_dir, question)
    console = Console()
    if as_json:
        print(reading.as_json(incident))
    elif console.is_terminal:
        console.print(Markdown(report(incident, impact)))
    else:
        print(report(incident, impact), end="")


def show_statistics(config: ConfigOption = None, data_dir: DataDirOption = None, as_json: JsonOption = False) -> None:
    """Count attempts and successes, and the times to detect, to recover and of each step, by class of failure."""

    async def question(store: FactStore) -> Sequence[ClassStatistics]:
        return statistics(await many_incidents(store))

    found = reading.ask(config, data_dir, question)
    if as_json:
        print(reading.as_json(found))
        return
    if not found:
        print("no incident yet")
        return
    console = screen()
    show_table(console, "By class of failure", CLASSES, [_class(row) for row in found])
    steps = [(row.failure, *_step(step)) for row in found for step in row.steps]
    if steps:
        console.print()
        show_table(console, "Steps taken", STEPS, steps)


def _line(one: Incident) -> tuple[object, ...]:
    opened = f"{datetime.fromtimestamp(one.opened_ns // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S}"
    took = _seconds(one.recovered_after_s)
    return one.incident_id[:ID_SHOWN], opened, one.part, one.failure, _state(one), took


def _class(row: ClassStatistics) -> tuple[object, ...]:
    counts = (row.incidents, row.repaired, row.by_themselves, row.unproved, row.open)
    seconds = (row.detect.p50_s, row.recover.p50_s, row.recover.p99_s)
    return row.failure, *counts, *(_seconds(one) for one in seconds)


def _step(step: StepStatistics) -> tuple[object, ...]:
    times = ("" if ms is None else f"{ms:.0f} ms" for ms in (step.took.p50_ms, step.took.p99_ms))
    return step.action, step.attempts, step.done, step.failed, step.skipped, step.repaired, *times


def _state(incident: Incident) -> str:
    if incident.state == "resolved":
        return f"over, {incident.ended_by or 'by itself'}" if incident.is_proved else "over, unproved"
    if incident.state == "merged":
        return f"part of {incident.merged_into}"
    return "needs a person" if incident.state == "exhausted" else "open"


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s"
