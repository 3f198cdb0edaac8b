"""What an engine finds when it takes over: groups that may wait for their sources, and groups whose route is gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trading_orchestrator.perpetual_operations.alerts import facts as f
from trading_orchestrator.perpetual_operations.alerts.group import Group
from trading_orchestrator.perpetual_operations.alerts.policy import Policy
from trading_orchestrator.perpetual_operations.alerts.route import LEFT
from trading_orchestrator.perpetual_operations.alerts.state import State


def can_wait(state: State, group: Group, now_ns: int) -> bool:
    """Return whether the group could only repeat itself; one with something untold speaks at its time."""
    if not group.has_flushed or group.in_flight is not None:
        return False
    told = state.told.get((group.group_key, group.receiver))
    if told is not None and told.is_doubtful:
        return False
    known = told.firing if told is not None else frozenset[str]()
    alerts = [state.alerts[name] for name in group.alerts]
    return all(
        alert.fingerprint in known if alert.is_timeout or not alert.is_resolved(now_ns) else False for alert in alerts
    )


def lost_groups(state: State, policy: Policy) -> list[Group]:
    """Return the groups whose route is gone, means other alerts, or speaks to another receiver."""
    return [group for group in state.groups.values() if not _fits(group, policy)]


def owed_ends(state: State, lost: Sequence[Group], policy: Policy, now_ns: int) -> Iterator[f.Body]:
    """Yield a group in place of each lost one whose receiver was told that something fires: it tells the end alone.

    Where ends are always told, a changed route is no excuse; but a receiver that is gone itself cannot be told.
    """
    spoken_for = {(group.group_key, group.receiver) for group in state.groups.values()}
    for group in lost if policy.end_always_told else ():
        if (group.group_key, group.receiver) in spoken_for:
            continue
        spoken_for.add((group.group_key, group.receiver))
        told = state.told.get((group.group_key, group.receiver))
        firing = [
            state.alerts[name] for name in sorted(told.firing if told is not None else ()) if name in state.alerts
        ]
        if not firing or not policy.send_resolved.get(group.receiver):
            continue
        group_id = f"{LEFT}|{group.receiver}|{group.group_key}"
        yield f.GroupOpened(
            group_id=group_id,
            route_id=LEFT,
            group_key=group.group_key,
            receiver=group.receiver,
            labels=group.labels,
            due_ns=now_ns,
        )
        yield f.Received(at_ns=now_ns, entries=tuple(f.Entry(alert, (group_id,)) for alert in firing))


def _fits(group: Group, policy: Policy) -> bool:
    if group.route_id == LEFT:  # its route may be back; only a message on its way is not taken back for that
        return group.in_flight is not None and group.receiver in policy.send_resolved
    route = policy.routes.get(group.route_id)
    return route is not None and route.receiver == group.receiver and group.group_key.startswith(f"{route.key}:")
