"""From config to a plan that nothing in can fail later: every name is found, every text read, before a start."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import msgspec

from trading_orchestrator.errors import Refused
from trading_orchestrator.kernel.config import ConfigRefused, build, nearest, read_toml
from trading_orchestrator.perpetual_operations.alerts.channels.kinds import kind_named
from trading_orchestrator.perpetual_operations.alerts.config import (
    AlertingConfig,
    AlertsConfig,
    ReceiverConfig,
    RouteConfig,
)
from trading_orchestrator.perpetual_operations.alerts.escalation.policy import check_targets
from trading_orchestrator.perpetual_operations.alerts.escalation.schedule import Schedule, checked_schedules
from trading_orchestrator.perpetual_operations.alerts.lane_config import LaneConfig
from trading_orchestrator.perpetual_operations.alerts.matchers import parse_matchers
from trading_orchestrator.perpetual_operations.alerts.policy import Policy, policy_of
from trading_orchestrator.perpetual_operations.alerts.rules.config import AnyRule, Books, RulesConfig, books_of
from trading_orchestrator.perpetual_operations.alerts.secret_reference import revealed
from trading_orchestrator.perpetual_operations.alerts.time_intervals import checked
from trading_orchestrator.perpetual_operations.alerts.toml_lines import line_of

OWN_TABLE = ("perpetual_operations", "alerts")
LOG_RECEIVER = NODE_LOG = "log"
EVERYTHING_TO_THE_LOG = RouteConfig(receiver=LOG_RECEIVER, group_by=("alertname",), group_wait=1, group_interval=60)
REFERENCES = ("env:", "file:", "vault:")
Key = tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Where a key stands, for messages: the file, the table around, and the text when there is one."""

    source: str
    table: Key = ()
    text: str = ""

    def refused(self, key: Sequence[str], reason: str) -> ConfigRefused:
        """Return the error that names file, line, key and reason."""
        full = (*self.table, *key)
        line = line_of(self.text, full)
        where = f"{self.source}: line {line}" if line is not None else self.source
        return ConfigRefused(f"{where}: {'.'.join(full)}: {reason}", key=".".join(full), source=self.source, line=line)

    @contextmanager
    def at(self, *key: str) -> Iterator[None]:
        """Say of everything refused inside that it is about this key."""
        try:
            yield
        except ConfigRefused:
            raise
        except Refused as error:
            raise self.refused(key, error.message) from None


@dataclass(frozen=True)
class Plan:
    """A checked configuration. `rules` are those in use, the shipped ones included."""

    config: AlertsConfig
    policy: Policy
    rules: tuple[AnyRule, ...]
    receivers: Mapping[str, ReceiverConfig]
    channels: Mapping[str, LaneConfig]
    schedules: Mapping[str, Schedule]
    place: Place

    @property
    def source(self) -> str:
        """Return where it was read from."""
        return self.place.source

    def books(self) -> Books:
        """Return the rules, ready to evaluate and without a past."""
        return books_of(RulesConfig(every=self.config.interval_s, watch=self.rules))


def route_of(config: AlertsConfig) -> RouteConfig:
    """Return the configured tree; without one, everything goes to the log."""
    return EVERYTHING_TO_THE_LOG if config.route is None else config.route


def load_alerts(config: AlertsConfig, *, source: str) -> Plan:
    """Return the plan; `source` is the file that holds the table, or what to call where it came from.

    Raises:
        ConfigRefused: the sentence names file, line (where there is one), key and reason.
    """
    if config.path is not None:
        return _of_own_file(config, Path(config.path), source)
    text = _text_of(Path(source))
    return _checked(config, Place(source, OWN_TABLE, text))


def check_secrets(plan: Plan) -> None:
    """Follow every reference of the channels, and forget what it leads to.

    Raises:
        ConfigRefused: a channel without its secret; the sentence names file, line, key and reference.
    """
    for name, values in plan.config.channels.items():
        for key, value in values.items():
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and text.startswith(REFERENCES):
                    with plan.place.at("channels", name, key):
                        revealed(text)


def _of_own_file(outer: AlertsConfig, path: Path, source: str) -> Plan:
    beside = {name for name, value in msgspec.structs.asdict(outer).items() if value != _DEFAULT[name]}
    for name in sorted(beside - {"path", "enabled"}):
        said = f"expected it in {path}, because `path` names that file"
        raise Place(source, OWN_TABLE, _text_of(Path(source))).refused((name,), said)
    values = read_toml(path)
    place = Place(str(path), (), _text_of(path))
    for name in ("path", "enabled"):
        if name in values:
            raise place.refused((name,), f"expected it in {source}, beside `path`")
    config = _built(AlertsConfig, values, place, ())
    return _checked(msgspec.structs.replace(config, enabled=outer.enabled, path=outer.path), place)


_DEFAULT: Mapping[str, object] = msgspec.structs.asdict(AlertsConfig())


def _checked(config: AlertsConfig, place: Place) -> Plan:
    _check_numbers(msgspec.to_builtins(config), place, ())
    receivers = dict(config.receivers)
    route = route_of(config)
    if config.route is None:
        receivers.setdefault(LOG_RECEIVER, ReceiverConfig())
    _check_receivers(config, place)
    _check_time_intervals(config, place)
    _check_route(route, receivers, config, place, ("route",))
    for number, rule in enumerate(config.inhibit_rules):
        _check_matchers(rule.source_matchers, place, ("inhibit_rules", str(number), "source_matchers"))
        _check_matchers(rule.target_matchers, place, ("inhibit_rules", str(number), "target_matchers"))
    engine = AlertingConfig(
        route=route,
        receivers=receivers,
        inhibit_rules=config.inhibit_rules,
        time_intervals=config.time_intervals,
        resolve_timeout=config.resolve_timeout,
        hold_after_start=config.hold_after_start,
        end_always_told=config.end_always_told,
        flapping=config.flapping if config.group_flapping else None,
        storm=config.storm if config.digest_storms else None,
        root_cause=config.root_cause if config.inhibit_by_root_cause else None,
    )
    with place.at("route"):
        policy = policy_of(engine)
    channels, schedules = _channels(config, place), _schedules(config, place)
    return Plan(config, policy, _rules(config, place), receivers, channels, schedules, place)


def _check_numbers(value: object, place: Place, at: Key) -> None:
    """TOML knows `inf` and `nan`; no time or threshold is one, and JSON, which keeps the last good config, has none."""
    if isinstance(value, float) and not math.isfinite(value):
        raise place.refused(at, f"expected a finite number, was {value}")
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _check_numbers(inner, place, (*at, str(name)))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            _check_numbers(inner, place, (*at, str(number)))


# -- who hears


def _channels(config: AlertsConfig, place: Place) -> dict[str, LaneConfig]:
    found: dict[str, LaneConfig] = {}
    for name, values in config.channels.items():
        at = ("channels", name)
        with place.at(*at, "kind"):
            kind = kind_named(str(values.get("kind", "")))
        found[name] = _built(kind.config, {key: value for key, value in values.items() if key != "kind"}, place, at)
    return found


def _check_receivers(config: AlertsConfig, place: Place) -> None:
    for name, receiver in config.receivers.items():
        _check_names(receiver.channels, config.channels, "channels", place, ("receivers", name, "channels"))
        if receiver.escalation is not None:
            key = ("receivers", name, "escalation")
            _check_names([receiver.escalation], config.escalations, "escalations", place, key)


def _schedules(config: AlertsConfig, place: Place) -> dict[str, Schedule]:
    """Return who is on call when; ladders are checked with it, for their targets are people, schedules and channels."""
    for name, user in config.users.items():
        for number, contact in enumerate(user.contacts):
            at = ("users", name, "contacts", str(number), "channel")
            _check_names([contact.channel], [*config.channels, NODE_LOG], "channels", place, at)
    found: dict[str, Schedule] = {}
    for name, schedule in config.schedules.items():
        try:
            found |= checked_schedules({name: schedule}, config.users)
        except Refused as error:
            key = str(error.facts.get("key", ""))
            raise place.refused(("schedules", name, *_words(key)), error.message) from None
    for name, ladder in config.escalations.items():
        with place.at("escalations", name, "steps"):
            check_targets({name: ladder}, people=config.users, schedules=found, channels=[*config.channels, NODE_LOG])
    return found


def _check_route(
    route: RouteConfig, receivers: Mapping[str, object], config: AlertsConfig, place: Place, at: Key
) -> None:
    if route.receiver is not None:
        _check_names([route.receiver], receivers, "receivers", place, (*at, "receiver"))
    for key in ("mute_time_intervals", "active_time_intervals"):
        _check_names(getattr(route, key), config.time_intervals, "time_intervals", place, (*at, key))
    _check_matchers(route.matchers, place, (*at, "matchers"))
    for number, child in enumerate(route.routes):
        _check_route(child, receivers, config, place, (*at, "routes", str(number)))


def _check_time_intervals(config: AlertsConfig, place: Place) -> None:
    for name, intervals in config.time_intervals.items():
        for number, interval in enumerate(intervals):
            with place.at("time_intervals", name, str(number)):
                checked(interval)


def _check_matchers(texts: Sequence[str], place: Place, at: Key) -> None:
    for text in texts:
        with place.at(*at):
            parse_matchers([text])


def _check_names(names: Iterable[str], known: Iterable[str], table: str, place: Place, at: Key) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            hint = nearest(name, known) if known else f"there is no [{table}] at all"
            raise place.refused(at, f"nothing under [{table}] is named {name!r}; {hint}")


# -- what is watched


def shipped_rules() -> tuple[AnyRule, ...]:
    """Return the rules that ship with the program."""
    path = Path(str(resources.files("trading_orchestrator.perpetual_operations.alerts.rules") / "defaults.toml"))
    place = Place(str(path), (), _text_of(path))
    return tuple(_read_rules(read_toml(path).get("rules", ()), place))


def _rules(config: AlertsConfig, place: Place) -> tuple[AnyRule, ...]:
    shipped = {rule.name: rule for rule in shipped_rules()} if config.default_rules else {}
    own: dict[str, AnyRule] = {}
    for number, rule in enumerate(_read_rules(config.rules, place)):
        if rule.name in own:
            raise place.refused(("rules", str(number), "name"), f"two rules are named {rule.name!r}")
        own[rule.name] = rule
    rules = {**shipped, **own}
    _check_names(config.disabled_rules, rules, "rules", place, ("disabled_rules",))
    return tuple(rule for rule in rules.values() if rule.name not in config.disabled_rules)


def _read_rules(several: Sequence[Mapping[str, Any]], place: Place) -> Iterator[AnyRule]:
    kinds = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyRule)}
    for number, values in enumerate(several):
        at = ("rules", str(number))
        kind = kinds.get(str(values.get("kind")))
        if kind is None:
            raise place.refused((*at, "kind"), f"{nearest(str(values.get('kind', '')), list(kinds))}")
        rule: AnyRule = _built(kind, {name: value for name, value in values.items() if name != "kind"}, place, at)
        try:
            books_of(RulesConfig(watch=(rule,)))
        except Refused as error:
            raise place.refused((*at, *_words(str(error.facts.get("key", "")))), error.message) from None
        yield rule


def _built(kind: type[Any], values: Mapping[str, Any], place: Place, at: Key) -> Any:
    """Build a part, and let an error name the key as it stands in the whole file."""
    try:
        return build(kind, values, source="")
    except ConfigRefused as error:
        key = str(error.facts.get("key", ""))
        inner = _words(key) if key != "the top level" else ()
        reason = error.message.removeprefix(": ").removeprefix(f"{key}: ")
        raise place.refused((*at, *inner), reason) from None


def _words(key: str) -> Key:
    """Return `a[0].b` as ("a", "0", "b")."""
    return tuple(word for word in key.replace("[", ".").replace("]", "").split(".") if word)


def _text_of(path: Path) -> str:
    """Return the file's text to look lines up in; what is no file has none."""
    try:
        return path.read_text(encoding="utf-8") if path.is_file() else ""
    except (OSError, UnicodeDecodeError):
        return ""
