"""`alerts channels|test`: how each way to people does, and whether it works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from trading_orchestrator.cli.alert_words import ByOption, me, tell
from trading_orchestrator.cli.console_calls import UrlOption, call
from trading_orchestrator.cli.display import Column, local_moment, screen, show_table
from trading_orchestrator.cli.options import ConfigOption, JsonOption
from trading_orchestrator.cli.reading import as_json as json_line

COLUMNS = (Column("channel"), Column("kind"), Column("state", status=True), Column("circuit"), Column("budget"),
           Column("waiting", number=True), Column("sent", number=True), Column("failed", number=True),
           Column("last answer"), Column("last failure"))  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("channels")(channels)
    app.command("test")(try_channel)


def channels(url: UrlOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the channels: health, circuit, budget, and what was answered last."""
    found = call("/api/alerts/channels", url=url, config=config)["channels"]
    if as_json:
        print(json_line(found))
        return
    show_table(screen(), "Channels", COLUMNS, [_line(one) for one in found])


def try_channel(
    channel: Annotated[str, typer.Argument(help="The channel's name in the config.")],
    by: ByOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a test message by one channel and print the receiver's answer."""
    said = call(f"/api/alerts/channels/{channel}/test", {"by": me(by)}, url=url, config=config)
    tell(said, f"{channel} answered: {said['answer']}", as_json=as_json)


def _line(one: Mapping[str, Any]) -> tuple[object, ...]:
    is_free = one["budget_per_min"] is None
    budget = "no limit" if is_free else f"{one['budget_left']} now, {one['budget_per_min']:g}/min"
    paused = f", paused for {one['paused_for_s']:.0f} s" if one["paused_for_s"] else ""
    failed = one["failed_total"] + one["refused_total"]
    return (one["name"], one["kind"], one["state"], one["circuit"], f"{budget}{paused}", one["waiting"],
            one["sent_total"], failed, _said(one, "last_answer"), _said(one, "last_error"))  # fmt: skip


def _said(one: Mapping[str, Any], key: str) -> str:
    at_ns = one[f"{key}_at_ns"]
    return "" if at_ns is None else f"{local_moment(at_ns)}: {one[key]}"
