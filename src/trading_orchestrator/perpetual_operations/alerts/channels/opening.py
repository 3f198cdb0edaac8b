"""What a channel is handed when it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from trading_orchestrator.kernel.clock import Clock
from trading_orchestrator.kernel.metrics import Meter


@dataclass(frozen=True)
class Opening:
    """`reveal` returns the secret that a reference leads to; `external_url` is where readers reach our console.

    `meter`: where channels are counted.
    """

    clock: Clock
    reveal: Callable[[str], str]
    external_url: str = ""
    meter: Meter = field(default_factory=Meter)
