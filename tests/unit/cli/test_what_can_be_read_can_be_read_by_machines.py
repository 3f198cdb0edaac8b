"""Every command that tells something has `--json`, and every one that is about a system takes `--data-dir`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from trading_orchestrator.cli.main import build

# Processes that go on until they are ended (where each can be reached is asked of it, or stands in its ready line),
# files that are written, and checks of a file: the exit code says it all.
SAY_NO_MORE_THAN_THEIR_EXIT_CODE = {
    *("run", "venue", "watchdog", "soak", "vault init", "vault set", "vault remove"),
    *("alerts rules check", "alerts rules export"),
}
ABOUT_NO_SYSTEM = {  # venue takes its own options, --data-dir among them
    *("init", "venue", "version", "simulate", "soak", "drill list", "drill run"),
    *("vault init", "vault list", "vault set", "vault remove"),
    *("alerts rules check", "alerts rules export", "alerts routes test"),
}


def commands(found: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    if not hasattr(found, "commands"):
        yield " ".join(path), {option for parameter in found.params for option in parameter.opts}
        return
    for name, command in found.commands.items():
        yield from commands(command, (*path, name))


def without(option: str) -> set[str]:
    return {name for name, options in commands(get_command(build())) if option not in options}


def test_what_tells_something_tells_it_to_machines() -> None:
    assert SAY_NO_MORE_THAN_THEIR_EXIT_CODE == without("--json")


def test_what_is_about_a_system_takes_its_data_directory() -> None:
    assert ABOUT_NO_SYSTEM == without("--data-dir")
