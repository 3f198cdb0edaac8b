"""Settings of alerting, the engine's in Alertmanager's words. TOML: `[perpetual_operations.alerts]`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from trading_orchestrator.perpetual_operations.alerts.escalation.policy import Contact, EscalationPolicy
from trading_orchestrator.perpetual_operations.alerts.escalation.schedule import ScheduleConfig
from trading_orchestrator.perpetual_operations.alerts.flapping import FlappingConfig
from trading_orchestrator.perpetual_operations.alerts.root_cause import RootCauseConfig
from trading_orchestrator.perpetual_operations.alerts.storm import StormConfig
from trading_orchestrator.perpetual_operations.alerts.time_intervals import TimeIntervalConfig

Seconds = Annotated[float, Meta(gt=0)]


class RouteConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One node of the routing tree. What is None comes from the parent; mute and active times do not.

    The root's defaults are Alertmanager's: 30 s for the first message of a group, 5 min between two, 4 h to repeat.
    """

    receiver: str | None = None
    matchers: tuple[str, ...] = ()
    continue_: bool = msgspec.field(default=False, name="continue")
    group_by: tuple[str, ...] = ()
    group_wait: Annotated[float, Meta(ge=0)] | None = None
    group_interval: Seconds | None = None
    repeat_interval: Seconds | None = None
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    routes: tuple[RouteConfig, ...] = ()


class ReceiverConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who hears.

    send_resolved: whether the end of an alert is told.
    channels: names under `[channels]`, each of which carries every message; none: the log of the node.
    escalation: a ladder under `[escalations]` that is climbed while something fires here, besides the channels.
    """

    send_resolved: bool = True
    channels: tuple[str, ...] = ()
    escalation: str | None = None


class InhibitRuleConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """While an alert matches the source, alerts that match the target and agree in `equal` are not told."""

    source_matchers: tuple[str, ...] = ()
    target_matchers: tuple[str, ...] = ()
    equal: tuple[str, ...] = ()


class AlertingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The engine's policy.

    resolve_timeout: an alert whose source says no end and is silent for so long has ended.
    hold_after_start: a group that has nothing new to tell waits so long for its sources after a start; None is
        `resolve_timeout`.
    end_always_told: whoever was told that an alert fires is told its end even while it is silenced, inhibited or
        muted. Off, because Alertmanager keeps quiet then.
    flapping, storm, root_cause: off when None, because Alertmanager has none of them.
    """

    route: RouteConfig
    receivers: dict[str, ReceiverConfig]
    flapping: FlappingConfig | None = None
    storm: StormConfig | None = None
    root_cause: RootCauseConfig | None = None
    inhibit_rules: tuple[InhibitRuleConfig, ...] = ()
    time_intervals: dict[str, tuple[TimeIntervalConfig, ...]] = {}
    resolve_timeout: Seconds = 300.0
    hold_after_start: Seconds | None = None
    end_always_told: bool = False


class UserConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A person, and how that person wants to be called: one channel after another, each after its delay."""

    contacts: Annotated[tuple[Contact, ...], Meta(min_length=1)]


class AlertsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything about alerts. TOML: `[perpetual_operations.alerts]`, or a file of its own that `path` names.

    enabled: off, no alert exists and nobody is told anything.
    path: a TOML file with all other keys of this table at its top level, so that it can be reviewed and reloaded by
        itself; taken from the working directory, as `data_dir` is.
    interval_s: between two evaluations of the rules; a second is as fine as host and process are measured.
    default_rules: whether the rules that ship with the program are used; `rules` of an equal name replace them.
    disabled_rules: names of rules that are not used.
    route, receivers, inhibit_rules, time_intervals, resolve_timeout, hold_after_start, end_always_told: the engine's;
        without a route everything goes to one receiver that writes to the log.
    external_url: where readers of a message reach our console, for its links.
    channels: `kind` and that kind's own keys; a secret only by reference (`env:NAME`, `file:PATH`, `vault:NAME`).
    rules: each of a `kind`; see `rules/kinds/`.
    escalations: ladders by name. users: who stands on them. schedules: who is on call when.
    group_flapping, digest_storms, inhibit_by_root_cause: what Alertmanager has not; their numbers stand in the tables
        `flapping`, `storm` and `root_cause`. On, because each of them only spares a reader.
    """

    enabled: bool = True
    path: str | None = None
    interval_s: Annotated[float, Meta(ge=0.1, le=300)] = 1.0
    default_rules: bool = True
    disabled_rules: tuple[str, ...] = ()
    route: RouteConfig | None = None
    receivers: dict[str, ReceiverConfig] = {}
    inhibit_rules: tuple[InhibitRuleConfig, ...] = ()
    time_intervals: dict[str, tuple[TimeIntervalConfig, ...]] = {}
    resolve_timeout: Seconds = 300.0
    hold_after_start: Seconds | None = None
    end_always_told: bool = False
    external_url: str = ""
    channels: dict[str, dict[str, Any]] = {}
    rules: tuple[dict[str, Any], ...] = ()
    escalations: dict[str, EscalationPolicy] = {}
    users: dict[str, UserConfig] = {}
    schedules: dict[str, ScheduleConfig] = {}
    group_flapping: bool = True
    flapping: FlappingConfig = FlappingConfig()
    digest_storms: bool = True
    storm: StormConfig = StormConfig()
    inhibit_by_root_cause: bool = True
    root_cause: RootCauseConfig = RootCauseConfig()
