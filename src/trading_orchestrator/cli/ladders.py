"""`alerts snooze|escalate|maintenance`: who is called about an alert, and when nobody is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from trading_orchestrator.cli.alert_words import ByOption, NameArgument, NoteOption, find, me, seconds, tell
from trading_orchestrator.cli.console_calls import UrlOption, call
from trading_orchestrator.cli.display import local_moment
from trading_orchestrator.cli.options import ConfigOption, JsonOption
from trading_orchestrator.cli.reading import as_json as json_line


def add_to(app: typer.Typer) -> None:
    """Add the commands to those about alerts."""
    app.command("snooze")(snooze)
    app.command("escalate")(escalate)
    hold = typer.Typer(help="Climb no ladder for a while: begin, show and end maintenance.", no_args_is_help=True)
    for name, command in (("begin", begin), ("show", show), ("end", end)):
        hold.command(name)(command)
    app.add_typer(hold, name="maintenance")


def snooze(
    name: NameArgument,
    for_: Annotated[str, typer.Option("--for", help="How long, e.g. 30m, 2h, 1d.")] = "30m",
    by: ByOption = None,
    note: NoteOption = "",
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Call nobody about an alert for a while; then its ladder begins anew."""
    one = find(name, url, config)
    body = {"for_s": seconds(for_), "by": me(by), "note": note}
    said = call(f"/api/alerts/{one['fingerprint']}/snooze", body, url=url, config=config)
    tell(said, f"nobody is called about {one['name']} for {for_}", as_json=as_json)


def escalate(
    name: NameArgument,
    by: ByOption = None,
    note: NoteOption = "",
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Call the next rung of an alert's ladder now; whoever had it has it no more."""
    one = find(name, url, config)
    said = call(f"/api/alerts/{one['fingerprint']}/escalate", {"by": me(by), "note": note}, url=url, config=config)
    tell(said, f"the next rung is called about {one['name']}", as_json=as_json)


def begin(
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    for_: Annotated[str, typer.Option("--for", help="How long, e.g. 30m, 2h, 1d.")] = "1h",
    by: ByOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Climb no rung of any ladder for a while; messages to channels go on. Again: change how long."""
    body = {"for_s": seconds(for_), "by": me(by), "reason": reason}
    said = call("/api/alerts/maintenance", body, url=url, config=config)
    tell(said, said_of(said["maintenance"]), as_json=as_json)


def show(url: UrlOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the maintenance that goes on."""
    found = call("/api/alerts/maintenance", url=url, config=config)["maintenance"]
    print(json_line(found) if as_json else said_of(found) if found else "no maintenance goes on")


def end(by: ByOption = None, url: UrlOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """End maintenance: rungs that became due meanwhile are climbed at once."""
    said = call("/api/alerts/maintenance/end", {"by": me(by)}, url=url, config=config)
    tell(said, "maintenance is over", as_json=as_json)


def said_of(hold: Mapping[str, Any]) -> str:
    """Return a maintenance as one line."""
    return f"maintenance until {local_moment(hold['until_ns'])}: no ladder is climbed ({hold['by']}: {hold['reason']})"


def ladder_lines(one: Mapping[str, Any]) -> list[str]:
    """Return how the ladders of an alert stand, a line each, and where nobody was found."""
    lines = []
    for ladder in one["ladders"]:
        lines.append(f"ladder {ladder['ladder']} for {ladder['receiver']}: {_how(ladder)}")
        for target, at_ns in ladder["nobody"].items():
            lines.append(f"  nobody could be called for {target} at {local_moment(at_ns)}")
    return lines


def _how(ladder: Mapping[str, Any]) -> str:
    until = f" until {local_moment(ladder['until_ns'])}" if ladder["until_ns"] else ""
    rung = f"rung {ladder['rung']}" if ladder["rung"] else "before its first rung"
    called = f", called: {', '.join(ladder['called'])}" if ladder["called"] else ""
    following = f", the next rung at {local_moment(ladder['next_at_ns'])}" if ladder["next_at_ns"] else ""
    said = {
        "climbs": f"{rung}{called}{following}",
        "taken": f"taken by {ladder['by']}{until}",
        "snoozed": f"snoozed by {ladder['by']}{until}",
        "quiet": "rests, because all it is about is kept quiet",
        "held": f"{rung}{called}, held by maintenance{until}",
        "ended": f"at its end{called}; nobody else will be called unless you escalate",
    }
    return said[ladder["state"]]
