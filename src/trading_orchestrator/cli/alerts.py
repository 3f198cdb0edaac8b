"""`alerts`: what fires, what was sent to whom, and what people say to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from trading_orchestrator.cli import channels, ladders, on_call, silences
from trading_orchestrator.cli.alert_words import ByOption, NameArgument, NoteOption, find, me, seconds, tell
from trading_orchestrator.cli.console_calls import UrlOption, call
from trading_orchestrator.cli.display import Column, counted, local_moment, screen, show_table
from trading_orchestrator.cli.options import ConfigOption, JsonOption
from trading_orchestrator.cli.reading import as_json as json_line
from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.clock import SystemClock

LIST = (Column("since"), Column("severity", status=True), Column("alert"), Column("labels"), Column("state"),
        Column("taken by"), Column("fingerprint"))  # fmt: skip
SENT = (Column("at"), Column("to"), Column("says"), Column("about"), Column("alerts", number=True),
        Column("outcome", status=True), Column("tries", number=True), Column("answer"))  # fmt: skip
HIDDEN = ("alertname", "severity")


def build() -> typer.Typer:
    """Return the sub-commands."""
    app = typer.Typer(help="See alerts of the running system, and answer them.", no_args_is_help=True)
    for name, command in (("list", list_), ("show", show), ("history", history), ("ack", acknowledge),
                          ("resolve", resolve), ("reload", reload)):  # fmt: skip
        app.command(name)(command)
    silences.add_to(app)
    channels.add_to(app)
    ladders.add_to(app)
    app.add_typer(on_call.build(), name="oncall")
    routes = typer.Typer(help="The routing tree.", no_args_is_help=True)
    routes.command("test")(try_routes)
    routes.callback()(lambda: None)
    app.add_typer(routes, name="routes")
    rules = typer.Typer(help="The rules.", no_args_is_help=True)
    rules.command("check")(check_rules)
    rules.command("export")(export_rules)
    app.add_typer(rules, name="rules")
    return app


def list_(url: UrlOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List what fires, the longest first."""
    found = call("/api/alerts", url=url, config=config)
    if as_json:
        print(json_line(found))
        return
    if found["maintenance"]:
        print(ladders.said_of(found["maintenance"]))
    if not found["alerts"]:
        print("nothing fires")
    else:
        show_table(screen(), "Alerts", LIST, [_line(one) for one in found["alerts"]])
    means = found["mean_times"]
    if means["episodes"]:
        took = [f"{name} {means[key]:.0f} s in the mean" for name, key in MEANS if means[key] is not None]
        print(f"{counted(means['episodes'], 'alert')} over before: {', '.join(took)}")


MEANS = (("taken after", "to_acknowledge_s"), ("resolved after", "to_resolve_s"))


def show(name: NameArgument, url: UrlOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show everything about one alert."""
    one = find(name, url, config)
    if as_json:
        print(json_line(one))
        return
    print(
        f"{one['name']} ({one['severity'] or 'no severity'}), {one['state']}, since {local_moment(one['starts_at_ns'])}"
    )
    for title in ("labels", "annotations"):
        for key, value in one[title].items():
            print(f"  {key}: {value}")
    for title in ("receivers", "silenced_by", "inhibited_by"):
        if one[title]:
            print(f"{title.replace('_', ' ')}: {', '.join(one[title])}")
    for how, said in (("taken", one["acknowledged"]), ("snoozed", one["snoozed"])):
        if said:
            print(_answered(how, said))
    for line in ladders.ladder_lines(one):
        print(line)
    if one["annotations"].get("runbook"):
        print(f"what to do: runbooks/{one['annotations']['runbook']}.md")


def history(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many.")] = 30,
    url: UrlOption = None,
    config: ConfigOption = None,
    tries: Annotated[bool, typer.Option("--tries", help="Below each message every try, by channel.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List what was sent to whom, when, and with which answer, newest first."""
    found = call(f"/api/alerts/history?limit={limit}", url=url, config=config)["messages"]
    if as_json:
        print(json_line(found))
        return
    if not found:
        print("nothing was sent yet")
        return
    rows = [row for line in found for row in (_sent(line), *(_tried(line) if tries else ()))]
    show_table(screen(), "Sent", SENT, rows)


def acknowledge(
    name: NameArgument,
    by: ByOption = None,
    note: NoteOption = "",
    for_: Annotated[str, typer.Option("--for", help="How long, e.g. 30m; without it until it ends.")] = "",
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an alert: its ladder stops climbing."""
    one = find(name, url, config)
    body = {"by": me(by), "note": note, **({"for_s": seconds(for_)} if for_ else {})}
    said = call(f"/api/alerts/{one['fingerprint']}/acknowledge", body, url=url, config=config)
    tell(said, f"{one['name']} is taken by {me(by)}{f' for {for_}' if for_ else ''}", as_json=as_json)


def resolve(
    name: NameArgument,
    by: ByOption = None,
    note: NoteOption = "",
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an alert now; it comes back if its source still sees the cause."""
    one = find(name, url, config)
    said = call(f"/api/alerts/{one['fingerprint']}/resolve", {"by": me(by), "note": note}, url=url, config=config)
    tell(said, f"{one['name']} is resolved by {me(by)}", as_json=as_json)


def reload(
    by: ByOption = None, url: UrlOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Read the alert config anew; a wrong one changes nothing and is told."""
    said = call("/api/alerts/reload", {"by": me(by)}, url=url, config=config)
    words = f"{counted(said['rules'], 'rule')} and {counted(len(said['receivers']), 'receiver')} from {said['source']}"
    tell(said, words, as_json=as_json)


def try_routes(
    labels: Annotated[list[str], typer.Argument(help="Labels of an alert, e.g. severity=critical alertname=DiskFull.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print who would hear of an alert with these labels, by the config file; nothing needs to run."""
    pairs = dict(_pair(label) for label in labels)
    found = [{"receiver": route.receiver, "route": route.key} for route in _plan(config).policy.tree.match(pairs)]
    tell(
        {"routes": found}, "\n".join(f"{one['receiver']}, by {_route(one['route'])}" for one in found), as_json=as_json
    )


def check_rules(config: ConfigOption = None) -> None:
    """Check rules, routes and channels of the config file as a start would; nothing needs to run."""
    from trading_orchestrator.perpetual_operations.alerts.board import open_board, try_out

    plan = _plan(config)
    asyncio.run(try_out(plan, lambda plan: open_board(plan, SystemClock())))
    rules, receivers = counted(len(plan.rules), "rule"), counted(len(plan.receivers), "receiver")
    print(f"well: {rules}, {receivers}, {counted(len(plan.channels), 'channel')}")


def export_rules(config: ConfigOption = None) -> None:
    """Print the rules as a Prometheus rule file."""
    from trading_orchestrator.perpetual_operations.alerts.rules.prometheus_export import exported

    print(exported(_plan(config).rules), end="")


def _plan(config: Path | None) -> Any:
    from trading_orchestrator.app import settings as hall

    return hall.read_alerts(hall.read_settings(config, practice=True))


def _line(one: Mapping[str, Any]) -> tuple[object, ...]:
    labels = ", ".join(f"{key}={value}" for key, value in one["labels"].items() if key not in HIDDEN)
    since = local_moment(one["starts_at_ns"])
    return since, one["severity"], one["name"], labels, one["state"], _taken(one), one["fingerprint"]


def _taken(one: Mapping[str, Any]) -> str:
    """Return who has it; whoever has its ladder took it with another alert of its group."""
    if one["acknowledged"]:
        return str(one["acknowledged"]["by"])
    if one["snoozed"]:
        return f"snoozed by {one['snoozed']['by']}"
    with_group = {ladder["by"]: None for ladder in one["ladders"] if ladder["state"] in ("taken", "snoozed")}
    return f"{', '.join(with_group)} (with its group)" if with_group else ""


def _answered(how: str, said: Mapping[str, Any]) -> str:
    until = f" until {local_moment(said['until_ns'])}" if said["until_ns"] else ""
    note = f": {said['note']}" if said["note"] else ""
    return f"{how} by {said['by']} at {local_moment(said['at_ns'])}{until}{note}"


def _sent(line: Mapping[str, Any]) -> tuple[object, ...]:
    about = ", ".join(line["about"].values())
    return (local_moment(line["at_ns"]), line["receiver"], line["status"], about, line["alerts"], line["outcome"],
            line["tries"], line["answer"])  # fmt: skip


def _tried(line: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    for one in line["log"]:
        for answer in one["answers"]:
            how = "taken" if answer["is_taken"] else "not taken"
            yield local_moment(one["at_ns"]), f"  by {answer['channel']}", "", "", "", how, "", answer["said"]


def _route(key: str) -> str:
    return "the root route" if key == "{}" else f"route {key}"


def _pair(label: str) -> tuple[str, str]:
    name, is_pair, value = label.partition("=")
    if not is_pair:
        raise Refused(f"expected NAME=VALUE, was {label!r}")
    return name, value
