"""The routing tree: which routes an alert takes, in visit order, and what each one says about its groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from trading_orchestrator.errors import Refused
from trading_orchestrator.perpetual_operations.alerts import matchers as m
from trading_orchestrator.perpetual_operations.alerts.config import RouteConfig
from trading_orchestrator.perpetual_operations.alerts.labels import Labels, shown

ALL_LABELS = "..."
LEFT = "left"
REMEMBERED_MAX = 20_000
K = TypeVar("K")
V = TypeVar("V")
NS = 1_000_000_000


class RouteRefused(Refused):
    """The tree cannot be used. Facts: route, key."""

    code = "alerts.route_refused"


@dataclass(frozen=True)
class Route:
    """One node with everything it inherited.

    `key` is the path of matchers and names what was told already, so it survives a changed order of routes;
    `route_id` is the place in the tree as well, so that two routes with equal matchers keep groups of their own.
    """

    route_id: str
    key: str
    receiver: str
    matchers: tuple[m.Matcher, ...] = ()
    continues: bool = False
    group_by: frozenset[str] = frozenset()
    group_by_all: bool = False
    group_wait_ns: int = 30 * NS
    group_interval_ns: int = 300 * NS
    repeat_interval_ns: int = 4 * 3600 * NS
    mute_times: tuple[str, ...] = ()
    active_times: tuple[str, ...] = ()
    children: tuple[Route, ...] = ()

    def match(self, labels: Labels) -> list[Route]:
        """Return the routes the label set takes; a node speaks only when none of its children does."""
        if not m.all_match(self.matchers, labels):
            return []
        found: list[Route] = []
        for child in self.children:
            taken = child.match(labels)
            found += taken
            if taken and not child.continues:
                break
        return found or [self]

    def group_labels(self, labels: Labels) -> dict[str, str]:
        """Return the labels by which this route groups; a missing one is left out."""
        return {name: value for name, value in sorted(labels.items()) if self.group_by_all or name in self.group_by}

    def walk(self) -> Iterator[Route]:
        """Yield this node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


class Routing:
    """Which routes a label set takes, and which group it is in on each: remembered by the labels that decide it."""

    def __init__(self, tree: Route) -> None:
        self._tree = tree
        self._names = sorted({matcher.name for route in tree.walk() for matcher in route.matchers})
        self._routes: dict[tuple[str | None, ...], Sequence[Route]] = {}
        self._group_ids: dict[tuple[str, tuple[str | None, ...]], str] = {}
        self._group_by = {route.route_id: sorted(route.group_by) for route in tree.walk()}

    def of(self, labels: Labels) -> Sequence[Route]:
        """Return the routes the label set takes, in visit order."""
        values = tuple([labels.get(name) for name in self._names])
        found = self._routes.get(values)
        if found is None:
            found = _remembered(self._routes, values, self._tree.match(labels))
        return found

    def group_id(self, route: Route, labels: Labels) -> str:
        """Return the place of the route and the key of the group: the route's matchers and the group's labels."""
        if route.group_by_all:
            return _group_id(route, labels)
        values = (route.route_id, tuple([labels.get(name) for name in self._group_by[route.route_id]]))
        found = self._group_ids.get(values)
        return _remembered(self._group_ids, values, _group_id(route, labels)) if found is None else found


def _group_id(route: Route, labels: Labels) -> str:
    return f"{route.route_id}|{route.key}:{shown(route.group_labels(labels))}"


def _remembered(known: dict[K, V], key: K, value: V) -> V:
    if len(known) >= REMEMBERED_MAX:
        known.clear()
    known[key] = value
    return value


def build_tree(config: RouteConfig) -> Route:
    """Return the checked tree.

    Raises:
        RouteRefused: the root matches not everything or names no receiver, or a key makes no sense.
        MatcherRefused: a matcher cannot be read.
    """
    if not config.receiver:
        raise RouteRefused("the root route needs a receiver", route="route", key="receiver")
    if config.matchers or config.mute_time_intervals or config.active_time_intervals:
        raise RouteRefused(
            "the root route takes every alert at any time: no matchers, no time intervals", route="route"
        )
    if config.continue_:
        raise RouteRefused("the root route has no sibling to continue to", route="route", key="continue")
    return _built(config, Route(route_id="", key="", receiver=config.receiver), "0", is_root=True)


def left_route(tree: Route) -> Route:
    """Return the route of groups whose own is gone, but whose receiver is still owed an end: it takes no alert."""
    return replace(tree, route_id=LEFT, key="", mute_times=(), active_times=(), children=())


def _built(config: RouteConfig, parent: Route, place: str, *, is_root: bool = False) -> Route:
    matchers = m.parse_matchers(config.matchers)
    route = replace(
        parent,
        route_id=place,
        key=m.shown(matchers) if is_root else f"{parent.key}/{m.shown(matchers)}",
        receiver=config.receiver or parent.receiver,
        matchers=matchers,
        continues=config.continue_,
        group_wait_ns=_ns(config.group_wait, parent.group_wait_ns),
        group_interval_ns=_ns(config.group_interval, parent.group_interval_ns),
        repeat_interval_ns=_ns(config.repeat_interval, parent.repeat_interval_ns),
        mute_times=config.mute_time_intervals,
        active_times=config.active_time_intervals,
        children=(),
    )
    route = _grouped(route, config)
    children = tuple(_built(child, route, f"{place}.{number}") for number, child in enumerate(config.routes))
    return replace(route, children=children)


def _grouped(route: Route, config: RouteConfig) -> Route:
    """An empty `group_by` inherits; `...` is every label."""
    if ALL_LABELS in config.group_by:
        if len(config.group_by) > 1:
            raise RouteRefused("group_by: `...` stands for every label, so it stands alone", route=route.route_id)
        return replace(route, group_by_all=True)
    if config.group_by:
        return replace(route, group_by=frozenset(config.group_by), group_by_all=False)
    return route


def _ns(seconds: float | None, inherited: int) -> int:
    return inherited if seconds is None else round(seconds * NS)
