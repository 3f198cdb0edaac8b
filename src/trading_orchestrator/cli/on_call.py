"""`alerts oncall`: who is on call, and who stands in for whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from trading_orchestrator.cli.alert_words import ByOption, me, seconds, tell
from trading_orchestrator.cli.console_calls import UrlOption, call
from trading_orchestrator.cli.display import Column, local_moment, screen, show_table
from trading_orchestrator.cli.options import ConfigOption, JsonOption
from trading_orchestrator.cli.reading import as_json as json_line

OVERRIDES = (Column("schedule"), Column("on call"), Column("instead of"), Column("from"), Column("until"),
             Column("by"), Column("reason"), Column("id"))  # fmt: skip


def build() -> typer.Typer:
    """Return the command and its sub-commands."""
    app = typer.Typer(help="Show who is on call; put somebody in another's place.", invoke_without_command=True)
    app.callback()(on_call)
    for name, command in (("override", override), ("overrides", overrides), ("end", end)):
        app.command(name)(command)
    return app


def on_call(
    context: typer.Context, url: UrlOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show who is on call now, until when, and who is next; or put somebody in another's place."""
    if context.invoked_subcommand is not None:
        return
    found = call("/api/alerts/on-call", url=url, config=config)["schedules"]
    if as_json:
        print(json_line(found))
        return
    if not found:
        print("no schedule is configured")
    for one in found:
        following = one["next"]
        after = f", then {_people(following)}" if following else ""
        print(f"{one['schedule']}: {_people(one['now'])} until {local_moment(one['now']['until_ns'])}{after}")


def override(
    schedule: Annotated[str, typer.Argument(help="The schedule's name in the config.")],
    person: Annotated[str, typer.Argument(help="Who is on call then; nobody takes --instead-of off alone.")] = "",
    from_: Annotated[
        str, typer.Option("--from", help="When it begins, e.g. 2026-11-23T09:00 by the schedule's clock; without: now.")
    ] = "",
    until: Annotated[str, typer.Option("--until", help="When it ends, in the same way.")] = "",
    for_: Annotated[str, typer.Option("--for", help="How long, e.g. 8h, instead of --until.")] = "",
    instead_of: Annotated[str, typer.Option("--instead-of", help="Whose place it is; without, both are on call.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    by: ByOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put somebody on call, besides or instead of another; prints its id."""
    body = {
        "schedule": schedule,
        "person": person,
        "instead_of": instead_of,
        "from": from_,
        "until": until,
        "by": me(by),
        "reason": reason,
        **({"for_s": seconds(for_)} if for_ else {}),
    }
    said = call("/api/alerts/on-call/overrides", body, url=url, config=config)
    tell(said, said["override"]["override_id"], as_json=as_json)


def overrides(url: UrlOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List who stands in, now or later."""
    found = call("/api/alerts/on-call", url=url, config=config)["overrides"]
    if as_json:
        print(json_line(found))
        return
    rows = [
        (one["schedule"], one["person"] or "nobody", one["instead_of"], local_moment(one["starts_at_ns"]),
         local_moment(one["ends_at_ns"]), one["by"], one["reason"], one["override_id"])
        for one in found
    ]  # fmt: skip
    show_table(screen(), "Overrides", OVERRIDES, rows)


def end(
    override_id: Annotated[str, typer.Argument(help="The override's id.")],
    by: ByOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an override back."""
    said = call(f"/api/alerts/on-call/overrides/{override_id}/end", {"by": me(by)}, url=url, config=config)
    tell(said, f"override {override_id} is over", as_json=as_json)


def _people(shift: Mapping[str, Any]) -> str:
    return ", ".join(shift["people"]) or "nobody"
