"""Secrets by reference: the config says where one is kept, and only who uses it ever sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.config import variable

Reveal = Callable[[str], str]
FORMS = "env:NAME, file:PATH or vault:NAME"


class SecretRefused(Refused):
    """The reference cannot be followed. Facts: reference; never what it leads to."""

    code = "alerts.secret_refused"


def revealed(
    reference: str,
    *,
    environment: Callable[[str], str | None] = variable,
    vault: Callable[[str], str] | None = None,
) -> str:
    """Return the secret that `env:NAME`, `file:PATH` or `vault:NAME` leads to.

    Args:
        vault: returns an entry; None for those who have no vault.

    Raises:
        SecretRefused: the reference has another form (a literal, perhaps: it is not repeated), or leads nowhere.
    """
    kind, _, place = reference.partition(":")
    if kind not in ("env", "file", "vault") or not place:
        raise SecretRefused(f"expected a reference to a secret, {FORMS}, was something else")
    if kind == "vault":
        return _opened(place, vault)
    found = environment(place) if kind == "env" else _read(place)
    if not found:
        lack = f"the environment variable {place} to be set" if kind == "env" else f"the file {place} to hold a secret"
        raise SecretRefused(f"expected {lack}, was empty", reference=reference)
    return found


def _opened(name: str, vault: Callable[[str], str] | None) -> str:
    if vault is None:
        raise SecretRefused("this process opens no vault: use env:NAME or file:PATH", reference=f"vault:{name}")
    try:
        return vault(name)
    except Refused as error:
        raise SecretRefused(error.message, reference=f"vault:{name}") from None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SecretRefused(f"the secret file {path} cannot be read: {why}", reference=f"file:{path}") from None
