"""The status of the wing: one sentence and one object."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from trading_orchestrator.kernel.component import HealthState
from trading_orchestrator.kernel.supervisor import Child


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


def status_of(
    children: Iterable[Child], *, node: str, version: str, verdict: str, started_at_ns: int | None, now_ns: int
) -> OperationsStatus:
    """Return how the wing with these parts is.

    Args:
        verdict: the newest one on everything that is watched.
        started_at_ns: when the parts were started; None while they are stopped.
    """
    parts = tuple(_part_status(child) for child in children)
    bad = [part.name for part in parts if part.state in (HealthState.UNHEALTHY, HealthState.STOPPED)]
    if started_at_ns is None:
        sentence = "Operations are stopped."
    elif bad:
        sentence = f"Operations run, but not {', '.join(bad)}."
    else:
        sentence = f"Operations run: {len(parts)} parts. {verdict}"
    uptime_s = (now_ns - started_at_ns) / 1e9 if started_at_ns else 0.0
    running = started_at_ns is not None
    return OperationsStatus(sentence, running, node, version, started_at_ns or 0, round(uptime_s, 1), verdict, parts)


def _part_status(child: Child) -> PartStatus:
    health, component = child.health(), child.component
    return PartStatus(component.name, health.state, health.reason, tuple(component.depends_on), child.restarts)
