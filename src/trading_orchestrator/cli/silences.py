"""`alerts silence|silences|expire`: what is kept quiet, by whom, why, and what ends it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from trading_orchestrator.cli.alert_words import ByOption, me, seconds, tell
from trading_orchestrator.cli.console_calls import UrlOption, call
from trading_orchestrator.cli.display import Column, local_moment, screen, show_table
from trading_orchestrator.cli.options import ConfigOption, JsonOption
from trading_orchestrator.cli.reading import as_json as json_line

AN_HOUR = "1h"
COLUMNS = (Column("until"), Column("acts"), Column("covers"), Column("by"), Column("reason"), Column("id"))
_TIMES = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d)")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    for name, command in (("silence", silence), ("silences", silences), ("expire", expire)):
        app.command(name)(command)


def silence(
    matchers: Annotated[list[str], typer.Argument(help="What to keep quiet, e.g. alertname=DiskFull host=~'a|b'.")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    for_: Annotated[
        str | None, typer.Option("--for", help="How long, e.g. 30m, 2h, 1d; an hour unless something else ends it.")
    ] = None,
    by: ByOption = None,
    until_resolved: Annotated[
        bool, typer.Option("--until-resolved", help="End with the last alert it covers.")
    ] = False,
    unused: Annotated[
        str | None, typer.Option("--unused", help="End when it has covered nothing for so long, e.g. 7d.")
    ] = None,
    during: Annotated[
        list[str] | None,
        typer.Option("--during", help="Act only then: 'saturday,sunday 02:00-04:00', 'monday:friday', '22:00-24:00'."),
    ] = None,
    zone: Annotated[str, typer.Option("--zone", help="Whose clock --during means.")] = "UTC",
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep alerts quiet, with owner and reason; prints its id."""
    if for_ is None and not until_resolved and unused is None:
        for_ = AN_HOUR
    body = {
        "matchers": matchers,
        "for_s": None if for_ is None else seconds(for_),
        "by": me(by),
        "reason": reason,
        "until_resolved": until_resolved,
        "unused_for_s": None if unused is None else seconds(unused),
        "times": [window(text, zone) for text in during or ()],
    }
    said = call("/api/alerts/silences", body, url=url, config=config)
    tell(said, said["silence_id"], as_json=as_json)


def silences(url: UrlOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List silences; those that are over stay listed for five days."""
    found = call("/api/alerts/silences", url=url, config=config)["silences"]
    if as_json:
        print(json_line(found))
        return
    if not found:
        print("no silence")
        return
    rows = [
        (_until(one), "yes" if one["active"] else "no", " ".join(one["matchers"]), one["created_by"], one["comment"],
         one["silence_id"])
        for one in found
    ]  # fmt: skip
    show_table(screen(), "Silences", COLUMNS, rows)


def expire(
    silence_id: Annotated[str, typer.Argument(help="The silence's id.")],
    by: ByOption = None,
    url: UrlOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a silence now."""
    said = call(f"/api/alerts/silences/{silence_id}/expire", {"by": me(by)}, url=url, config=config)
    tell(said, f"silence {silence_id} is over", as_json=as_json)


def window(text: str, zone: str) -> Mapping[str, Any]:
    """Return a recurring window in Alertmanager's words: weekdays and times in any order; the server checks them."""
    times = [{"start_time": begin, "end_time": end} for begin, end in _TIMES.findall(text)]
    weekdays = [word for word in re.split(r"[\s,]+", _TIMES.sub(" ", text)) if word]
    return {"times": times, "weekdays": weekdays, "location": zone}


def _until(one: Mapping[str, Any]) -> str:
    """Say everything that ends it."""
    said: Sequence[str] = [
        *([] if one["ends_at_ns"] is None else [local_moment(one["ends_at_ns"])]),
        *(["resolved"] if one["until_resolved"] else []),
        *([] if one["unused_for_s"] is None else [f"unused for {one['unused_for_s'] / 3600:g} h"]),
    ]
    return " or ".join(said)
