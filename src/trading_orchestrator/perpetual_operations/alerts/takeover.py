"""What an engine finds when it takes over: groups that may wait for their sources, and groups whose route is gone."""

from __future__ import annotations

from collections.abc import Mapping

from trading_orchestrator.perpetual_operations.alerts.group import Group
from trading_orchestrator.perpetual_operations.alerts.route import Route
from trading_orchestrator.perpetual_operations.alerts.state import State


def can_wait(state: State, group: Group, now_ns: int) -> bool:
    """Return whether the group could only repeat itself; one with something untold speaks at its time."""
    if not group.has_flushed or group.in_flight is not None:
        return False
    told = state.told.get((group.group_key, group.receiver))
    known = told.firing if told is not None else frozenset[str]()
    alerts = [state.alerts[name] for name in group.alerts]
    return all(
        alert.fingerprint in known if alert.is_timeout or not alert.is_resolved(now_ns) else False for alert in alerts
    )


def lost_groups(state: State, routes: Mapping[str, Route]) -> list[Group]:
    """Return the groups whose route is gone, means other alerts, or speaks to another receiver."""
    return [group for group in state.groups.values() if not _fits(group, routes.get(group.route_id))]


def _fits(group: Group, route: Route | None) -> bool:
    return route is not None and route.receiver == group.receiver and group.group_key.startswith(f"{route.key}:")
