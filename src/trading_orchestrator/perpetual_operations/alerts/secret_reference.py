"""Secrets by reference, as operations read them: from the environment, a file, or the vault."""

from __future__ import annotations

from collections.abc import Callable

from trading_orchestrator.kernel import secret_reference
from trading_orchestrator.kernel.config import variable
from trading_orchestrator.kernel.secret_reference import Reveal, SecretRefused

__all__ = ["Reveal", "SecretRefused", "revealed"]


def revealed(reference: str, *, environment: Callable[[str], str | None] = variable) -> str:
    """Return the secret that the reference leads to.

    Raises:
        SecretRefused: it has another form, or leads nowhere.
    """

    def from_vault(name: str) -> str:
        from trading_orchestrator.storage.vault import open_vault  # cryptography costs 20 ms: only for who has a vault

        return open_vault(environment).get(name)

    return secret_reference.revealed(reference, environment=environment, vault=from_vault)
