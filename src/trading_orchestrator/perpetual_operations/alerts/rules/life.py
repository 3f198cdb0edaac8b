"""The life of a rule's alert: pending, firing, kept firing, and gone again."""

from __future__ import annotations

from enum import Enum

import msgspec


class RuleState(Enum):
    """Where an alert of a rule is. `KEPT` still fires, though its condition no longer holds."""

    PENDING = "pending"
    FIRING = "firing"
    KEPT = "kept"


class Active(msgspec.Struct, frozen=True, kw_only=True):
    """One alert of a rule. `since_ns`: when its condition began to hold; `kept_since_ns`: when it ceased to.

    `fired_ns`: when it began to fire. That is its start for whoever is told: one that was pending for long is news,
    not late.
    """

    state: RuleState
    since_ns: int
    kept_since_ns: int | None = None
    fired_ns: int | None = None


def next_life(active: Active | None, *, holds: bool, now_ns: int, for_ns: int, keep_ns: int) -> Active | None:
    """Return what becomes of the alert at this evaluation; None when there is none.

    Source: Prometheus rules/alerting.go Eval.
    """
    if holds:
        if active is not None and active.state is not RuleState.PENDING:
            return msgspec.structs.replace(active, state=RuleState.FIRING, kept_since_ns=None)
        since_ns = now_ns if active is None else active.since_ns
        if now_ns - since_ns >= for_ns:
            return Active(state=RuleState.FIRING, since_ns=since_ns, fired_ns=now_ns)
        return Active(state=RuleState.PENDING, since_ns=since_ns)
    if active is None or active.state is RuleState.PENDING or keep_ns == 0:
        return None
    kept_since_ns = now_ns if active.kept_since_ns is None else active.kept_since_ns
    if now_ns - kept_since_ns >= keep_ns:
        return None
    return msgspec.structs.replace(active, state=RuleState.KEPT, kept_since_ns=kept_since_ns)
