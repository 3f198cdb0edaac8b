"""What nothing refers to any more: groups without alerts, ended alerts without a group, old silences and memories."""

from __future__ import annotations

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.state import State

SILENCE_KEPT_NS = 5 * 86_400_000_000_000


def unneeded(state: State, now_ns: int, wall_ns: int) -> f.Swept:
    """Return what may be forgotten now, silences by the wall clock; all of it may be empty."""
    groups = {one.group_id: None for one in state.groups.values() if not one.alerts and not one.in_flight}
    kept = {name for group in state.groups.values() for name in group.alerts}
    spoken = {(one.group_key, one.receiver) for one in state.groups.values() if one.group_id not in groups}
    return f.Swept(
        at_ns=now_ns,
        groups=tuple(groups),
        alerts=tuple(name for name, one in state.alerts.items() if name not in kept and one.is_resolved(now_ns)),
        silences=tuple(one.silence_id for one in state.silences.values() if one.ends_at_ns + SILENCE_KEPT_NS < wall_ns),
        told=tuple(key for key, one in state.told.items() if key not in spoken and one.expires_at_ns < now_ns),
    )
