"""Our routes as an Alertmanager config, for `amtool config routes` and for moving back; JSON, which is YAML too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from trading_orchestrator.perpetual_operations.alerts.config import RouteConfig
from trading_orchestrator.perpetual_operations.alerts.loading import Plan, route_of


def as_alertmanager_config(plan: Plan) -> str:
    """Return routes, receivers (without their channels), inhibit rules and time intervals."""
    config = plan.config
    intervals = [
        {"name": name, "time_intervals": [msgspec.to_builtins(one) for one in several]}
        for name, several in config.time_intervals.items()
    ]
    known = {
        "global": {"resolve_timeout": duration(config.resolve_timeout)},
        "route": _route(route_of(config)),
        "receivers": [{"name": name} for name in plan.receivers],
        "inhibit_rules": [_without_empty(msgspec.to_builtins(rule)) for rule in config.inhibit_rules],
        "time_intervals": intervals,
    }
    return msgspec.json.format(msgspec.json.encode(_without_empty(known)), indent=2).decode()


def duration(seconds: float) -> str:
    """Return whole milliseconds as Prometheus writes them: `1m30s`, `250ms`."""
    left_ms = round(seconds * 1000)
    parts: list[str] = []
    for unit_ms, unit in ((3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")):
        count, left_ms = divmod(left_ms, unit_ms)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _route(route: RouteConfig) -> dict[str, Any]:
    waits = {name: getattr(route, name) for name in ("group_wait", "group_interval", "repeat_interval")}
    return _without_empty(
        {
            "receiver": route.receiver,
            "matchers": list(route.matchers),
            "continue": route.continue_,
            "group_by": list(route.group_by),
            **{name: duration(value) for name, value in waits.items() if value is not None},
            "mute_time_intervals": list(route.mute_time_intervals),
            "active_time_intervals": list(route.active_time_intervals),
            "routes": [_route(child) for child in route.routes],
        }
    )


def _without_empty(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, False, [], (), {}, "")}
