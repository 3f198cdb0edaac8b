"""Which fault can meet which order state: all but the pairs of this table, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping

from trading_orchestrator.simulation.faults import FaultKind
from trading_orchestrator.trading.orders.life import At

IMPOSSIBLE: Mapping[tuple[FaultKind, At], str] = {}


def can_meet(kind: FaultKind, state: At) -> bool:
    """Return whether an order in this state can meet this fault."""
    return (kind, state) not in IMPOSSIBLE
