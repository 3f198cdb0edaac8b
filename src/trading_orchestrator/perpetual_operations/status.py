"""The status of the wing: one sentence and one object."""

from __future__ import annotations

import msgspec

from trading_orchestrator.kernel.component import HealthState


class PartStatus(msgspec.Struct, frozen=True):
    """A part that the manager runs. `restarts` counts the times it ended by itself and was started anew."""

    name: str
    state: HealthState
    reason: str
    depends_on: tuple[str, ...]
    restarts: int


class OperationsStatus(msgspec.Struct, frozen=True):
    """`running` is about the wing itself; `health` is the newest verdict on everything that is watched."""

    sentence: str
    running: bool
    node: str
    version: str
    started_at_ns: int
    uptime_s: float
    health: str
    parts: tuple[PartStatus, ...]
