"""Settings of the alert engine, in Alertmanager's words. TOML: `[perpetual_operations.alerts]`."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

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
    """Who hears. `send_resolved`: whether the end of an alert is told."""

    send_resolved: bool = True


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
    """

    route: RouteConfig
    receivers: dict[str, ReceiverConfig]
    inhibit_rules: tuple[InhibitRuleConfig, ...] = ()
    time_intervals: dict[str, tuple[TimeIntervalConfig, ...]] = {}
    resolve_timeout: Seconds = 300.0
    hold_after_start: Seconds | None = None
    end_always_told: bool = False
