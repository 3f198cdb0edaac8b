"""`vault`: keep secrets in an encrypted file, so that the config only names them (`vault:NAME`)."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from trading_orchestrator.cli import reading
from trading_orchestrator.cli.options import JsonOption
from trading_orchestrator.storage.vault import KEY_FILE, PATH, VaultRefused, new_key, open_vault

NameArgument = Annotated[str, typer.Argument(help="The entry's name, as in vault:NAME.")]


def build() -> typer.Typer:
    """Return the sub-commands."""
    app = typer.Typer(help=f"Secrets in an encrypted file ({PATH}), key elsewhere.", no_args_is_help=True)
    app.command("init")(init)
    app.command("set")(set_)
    app.command("list")(list_)
    app.command("remove")(remove)
    return app


def init(
    key_file: Annotated[Path, typer.Argument(help="Where to write the new key; not beside the vault.")],
) -> None:
    """Make a key. Whoever has both key and file has the secrets."""
    try:
        descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise VaultRefused(f"{key_file} is there already: a new key would lock out what it opens") from None
    except OSError as error:
        raise VaultRefused(f"{key_file} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(new_key() + "\n")
    print(f"set {KEY_FILE}={key_file} and {PATH}=…, then: trading-orchestrator vault set NAME")


def set_(name: NameArgument) -> None:
    """Keep a secret, read from standard input: typed without echo, or piped; never an argument others can see."""
    vault = open_vault()
    typed = typer.prompt(f"secret {name}", hide_input=True) if sys.stdin.isatty() else sys.stdin.read()
    vault.set(name, typed.strip("\r\n"))
    print(f"kept; the config names it vault:{name}")


def list_(as_json: JsonOption = False) -> None:
    """List the names of the entries."""
    names = open_vault().names()
    print(reading.as_json(names) if as_json else "\n".join(names) or "the vault is empty")


def remove(name: NameArgument) -> None:
    """Forget a secret."""
    open_vault().remove(name)
    print(f"vault:{name} is gone")
