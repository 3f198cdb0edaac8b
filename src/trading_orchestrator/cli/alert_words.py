"""What commands about alerts are told in the same words: which alert, who, how long, and why."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from trading_orchestrator.cli.console_calls import call
from trading_orchestrator.cli.reading import as_json as json_line
from trading_orchestrator.errors import Refused

NameArgument = Annotated[str, typer.Argument(help="The alert's fingerprint, the beginning of it, or its name.")]
ByOption = Annotated[str | None, typer.Option("--by", help="Who; without it the name you are logged in with.")]
NoteOption = Annotated[str, typer.Option("--note", help="What you have to say to it.")]
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def find(name: str, url: str | None, config: Path | None) -> Mapping[str, Any]:
    """Return the one alert that is meant.

    Raises:
        Refused: none that fires is, or several are; the sentence names them.
    """
    alerts: Sequence[Mapping[str, Any]] = call("/api/alerts", url=url, config=config)["alerts"]
    found = [one for one in alerts if one["fingerprint"].startswith(name) or one["name"] == name]
    if len(found) != 1:
        which = "none" if not found else f"{len(found)} do: {', '.join(one['fingerprint'] for one in found)}"
        raise Refused(f"expected one alert that fires and is named {name!r}, {which}")
    return found[0]


def seconds(text: str) -> float:
    """Return a time such as 30m.

    Raises:
        Refused: it is none.
    """
    try:
        return float(text[:-1]) * UNITS_S[text[-1:]]
    except (ValueError, KeyError):
        raise Refused(f"expected a time such as 30m, 2h or 1d, was {text!r}") from None


def tell(answer: Mapping[str, Any], words: str, *, as_json: bool) -> None:
    """Print what the console answered: in words for people, as it is for machines."""
    print(json_line(answer) if as_json else words)


def me(by: str | None) -> str:
    """Return who asks."""
    return by or getpass.getuser()
