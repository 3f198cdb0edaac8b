"""Calls to the console of a running system, for commands that it alone can follow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any
from urllib import error, request

import typer

from trading_orchestrator.app import settings as hall
from trading_orchestrator.errors import Refused, Transient
from trading_orchestrator.keeper.keeper import told_address
from trading_orchestrator.kernel.clock import Stopwatch
from trading_orchestrator.kernel.config import environment, merged, read_toml

TIMEOUT_S = 30.0
ASK_AGAIN = "alerts.stopped"
STARTS_WITHIN_S, AGAIN_S = 5.0, 0.25
"""A console answers before its alert manager has read what was told before; what is to be asked again was not done."""
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        "--data-dir",
        help="Where the console answers, or the data directory of its system; without it what the config says.",
    ),
]


class ConsoleSilent(Transient):
    """Nobody answers there. Facts: url."""

    code = "cli.console_silent"


class ConsoleRefused(Refused):
    """The console said no. Facts: status, code."""

    code = "cli.console_refused"


def call(path: str, body: object | None = None, *, url: str | None = None, config: Path | None = None) -> Any:
    """Return the console's answer to a GET, or to a POST of `body`.

    Raises:
        ConsoleSilent: nothing runs there.
        ConsoleRefused: the sentence is the console's own.
    """
    base = _address(url, config).rstrip("/")
    data = None if body is None else json.dumps(body).encode()
    asked = request.Request(base + path, data=data, headers={"content-type": "application/json"})
    watch = Stopwatch()
    try:
        while True:
            try:
                return _answer(asked)
            except ConsoleRefused as refused:
                if refused.facts["code"] != ASK_AGAIN or watch.elapsed_s() > STARTS_WITHIN_S:
                    raise
            watch.pause(AGAIN_S)
    except (error.URLError, TimeoutError, ConnectionError) as failed:
        why = getattr(failed, "reason", failed)
        sentence = f"nobody answers at {base} ({why}): start the system, or name another with --url or --data-dir"
        raise ConsoleSilent(sentence, url=base) from None


def _answer(asked: request.Request) -> Any:
    try:
        with request.urlopen(asked, timeout=TIMEOUT_S) as answer:
            return json.load(answer)
    except error.HTTPError as said:
        raise _refusal(said) from None


def _refusal(said: error.HTTPError) -> ConsoleRefused:
    try:
        problem = json.load(said)
    except ValueError:
        problem = {}
    detail = str(problem.get("detail", said.reason))
    return ConsoleRefused(detail, status=said.code, code=problem.get("code", ""))


def _address(url: str | None, config: Path | None) -> str:
    """Return the address that was given; else that of the system on the data directory, else the config's."""
    if url is not None and "://" in url:
        return url
    told = told_address(hall.find_data_dir(config, Path(url) if url is not None else None))
    if told is None and url is not None:
        raise ConsoleSilent(f"no system has run on data directory {url}: name another, or the console's --url", url=url)
    return told or _configured(config)


def _configured(config: Path | None) -> str:
    """The address in the config, and the default one without any."""
    path = config or (hall.DEFAULT_CONFIG if hall.DEFAULT_CONFIG.exists() else None)
    values = merged(read_toml(path) if path is not None else {}, environment(hall.ENVIRONMENT))
    keeper = values.get("keeper", {})
    return f"http://{keeper.get('host', '127.0.0.1')}:{keeper.get('port', 8000)}"
