"""The state of escalation as one fact of a snapshot, so that a start folds only what came after it."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from trading_orchestrator.perpetual_operations.alerts.escalation.state import EscalationState


class StateKept(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is open or on call besides; never a fact of the journal."""

    kind: ClassVar[str] = "escalation.state_kept"
    state: EscalationState


def state_of(kind: str, body: bytes) -> EscalationState | None:
    """Return the state that a kept body holds, or None for another kind."""
    return msgspec.json.decode(body, type=StateKept).state if kind == StateKept.kind else None
