"""What a channel is handed when it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trading_orchestrator.kernel.clock import Clock


@dataclass(frozen=True)
class Opening:
    """`reveal` returns the secret that a reference leads to; `external_url` is where readers reach our console."""

    clock: Clock
    reveal: Callable[[str], str]
    external_url: str = ""
