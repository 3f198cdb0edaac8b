"""The engine's policy: a configuration checked as a whole, so that nothing in it can fail later."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.alerts.config import AlertingConfig, InhibitRuleConfig
from trading_orchestrator.perpetual_operations.alerts.flapping import FlappingConfig
from trading_orchestrator.perpetual_operations.alerts.matchers import Matcher, parse_matchers
from trading_orchestrator.perpetual_operations.alerts.root_cause import RootCauseConfig
from trading_orchestrator.perpetual_operations.alerts.route import LEFT, Route, build_tree, left_route
from trading_orchestrator.perpetual_operations.alerts.storm import StormConfig
from trading_orchestrator.perpetual_operations.alerts.time_intervals import Intervals, checked


class PolicyRefused(Refused):
    """The configuration names something that is not there. Facts: key, name."""

    code = "alerts.policy_refused"


@dataclass(frozen=True)
class Policy:
    """What the engine decides by. `routes`: by place in the tree, and the one of groups whose own is gone (`LEFT`)."""

    tree: Route
    routes: dict[str, Route]
    send_resolved: dict[str, bool]
    inhibit_rules: tuple[InhibitRuleConfig, ...]
    intervals: Intervals
    resolve_timeout_ns: int
    hold_ns: int
    end_always_told: bool = False
    flapping: FlappingConfig | None = None
    storm: StormConfig | None = None
    never_throttled: tuple[Matcher, ...] = ()
    root_cause: RootCauseConfig | None = None


def policy_of(config: AlertingConfig) -> Policy:
    """Return the checked policy.

    Raises:
        PolicyRefused: a route names a receiver or a time interval that is not configured.
        RouteRefused, MatcherRefused, TimeIntervalRefused, FlappingRefused: the sentence names the place.
    """
    tree = build_tree(config.route)
    intervals = {name: tuple(checked(one) for one in several) for name, several in config.time_intervals.items()}
    for rule in config.inhibit_rules:
        parse_matchers((*rule.source_matchers, *rule.target_matchers))
    if config.flapping is not None:
        config.flapping.check()
    if config.root_cause is not None:
        parse_matchers(config.root_cause.cause_matchers)
    for route in tree.walk():
        _check("receiver", [route.receiver], config.receivers, route)
        _check("mute_time_intervals", route.mute_times, intervals, route)
        _check("active_time_intervals", route.active_times, intervals, route)
    hold_s = config.resolve_timeout if config.hold_after_start is None else config.hold_after_start
    return Policy(
        tree=tree,
        routes={LEFT: left_route(tree), **{route.route_id: route for route in tree.walk()}},
        send_resolved={name: receiver.send_resolved for name, receiver in config.receivers.items()},
        inhibit_rules=config.inhibit_rules,
        intervals=intervals,
        resolve_timeout_ns=round(config.resolve_timeout * 1e9),
        hold_ns=round(hold_s * 1e9),
        end_always_told=config.end_always_told,
        flapping=config.flapping,
        storm=config.storm,
        never_throttled=parse_matchers(config.storm.never_throttled) if config.storm is not None else (),
        root_cause=config.root_cause,
    )


def _check(key: str, names: Iterable[str], known: Iterable[str], route: Route) -> None:
    known = set(known)
    for name in names:
        if name not in known:
            place = f"route {route.route_id} {route.key}"
            raise PolicyRefused(
                f"{place}: {key}: nothing is named {name!r}; known: {sorted(known)}", key=key, name=name
            )
