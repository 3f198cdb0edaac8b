"""The state as one projection row, so that a start folds only what came after it."""

from __future__ import annotations

import msgspec

from trading_orchestrator.perpetual_operations.alerts.alert import Alert
from trading_orchestrator.perpetual_operations.alerts.dedup import Told
from trading_orchestrator.perpetual_operations.alerts.flapping import Flap
from trading_orchestrator.perpetual_operations.alerts.group import Group
from trading_orchestrator.perpetual_operations.alerts.silence import Silence
from trading_orchestrator.perpetual_operations.alerts.state import Outgoing, State


class ToldTo(msgspec.Struct, frozen=True):
    """What one receiver was told about one group."""

    group_key: str
    receiver: str
    told: Told


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A state in a form that JSON can hold."""

    started_at_ns: int
    at_ns: int
    message_count: int
    alerts: dict[str, Alert]
    groups: dict[str, Group]
    silences: dict[str, Silence]
    told: tuple[ToldTo, ...]
    outbox: dict[str, Outgoing]
    flaps: dict[str, Flap] = {}
    used_ns: dict[str, int] = {}


def snapshot_of(state: State) -> Snapshot:
    """Return the state as a snapshot."""
    return Snapshot(
        started_at_ns=state.started_at_ns,
        at_ns=state.at_ns,
        message_count=state.message_count,
        alerts=state.alerts,
        groups=state.groups,
        silences=state.silences,
        told=tuple(ToldTo(*key, told) for key, told in state.told.items()),
        outbox=state.outbox,
        flaps=state.flaps,
        used_ns=state.used_ns,
    )


def state_of(stored: bytes) -> State:
    """Return the state that a stored snapshot holds."""
    snapshot = msgspec.json.decode(stored, type=Snapshot)
    return State(
        started_at_ns=snapshot.started_at_ns,
        at_ns=snapshot.at_ns,
        message_count=snapshot.message_count,
        alerts=snapshot.alerts,
        groups=snapshot.groups,
        silences=snapshot.silences,
        told={(one.group_key, one.receiver): one.told for one in snapshot.told},
        outbox=snapshot.outbox,
        flaps=snapshot.flaps,
        used_ns=snapshot.used_ns,
    )
