"""A group: alerts of one route that are told together, and when it speaks next."""

from __future__ import annotations

from dataclasses import dataclass, field

from trading_orchestrator.perpetual_operations.alerts.alert import Alert
from trading_orchestrator.perpetual_operations.alerts.route import Route


@dataclass
class Group:
    """One group. `due_ns`: its next flush; `in_flight`: its message that has no answer yet.

    `is_held`: it waits for its sources since a start. `is_freed`: one of them was seen again, and it waits anew.
    """

    group_id: str
    route_id: str
    group_key: str
    receiver: str
    labels: dict[str, str]
    due_ns: int
    has_flushed: bool = False
    is_held: bool = False
    is_freed: bool = False
    in_flight: str | None = None
    alerts: dict[str, None] = field(default_factory=dict)


def first_due_ns(route: Route, alert: Alert, now_ns: int) -> int:
    """Return when a new group speaks: after group_wait, or at once when the alert is older than that."""
    return now_ns if alert.starts_at_ns + route.group_wait_ns < now_ns else now_ns + route.group_wait_ns


def next_tick_ns(due_ns: int, every_ns: int, now_ns: int) -> int:
    """Return the first tick after now on the grid of `due_ns`: a late flush shifts nothing."""
    return due_ns + ((now_ns - due_ns) // every_ns + 1) * every_ns
