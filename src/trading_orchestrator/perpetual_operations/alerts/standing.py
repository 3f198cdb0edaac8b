"""How alerts stand now, for whoever asks: what fires, what is kept quiet and why, and who hears of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import nsmallest

import msgspec

from trading_orchestrator.perpetual_operations.alerts.alert import Alert, on_the_wall_clock
from trading_orchestrator.perpetual_operations.alerts.alert_manager import AlertManager
from trading_orchestrator.perpetual_operations.alerts.attention import Acknowledged, Snoozed
from trading_orchestrator.perpetual_operations.alerts.engine import Engine
from trading_orchestrator.perpetual_operations.alerts.group import Group
from trading_orchestrator.perpetual_operations.alerts.ladder_standing import LadderStanding, ladders_by_alert


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One alert that fires. `state`, Alertmanager's: suppressed, active, or unprocessed (its group has not spoken).

    acknowledged, snoozed: who has it, or wants quiet about it, now. ladders: those that people are called by for it.
    """

    alert: Alert
    state: str
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    acknowledged: Acknowledged | None = None
    snoozed: Snoozed | None = None
    ladders: tuple[LadderStanding, ...] = ()


class GroupStanding(msgspec.Struct, frozen=True, kw_only=True):
    """A group and what fires in it."""

    labels: Mapping[str, str]
    receiver: str
    alerts: tuple[Standing, ...]


def standing(manager: AlertManager, most: int | None = None) -> list[Standing]:
    """Return every alert that fires, the longest first; with `most` only so many, critical ones before all others.

    Cost: 15 µs an alert; in a storm of 20,000 a page asks for a few hundred.

    Raises:
        AlertManagerStopped: it is not running.
    """
    engine, now_ns = manager.engine, manager.now_ns()
    groups = _groups_by_alert(engine.state.groups.values())
    ladders = ladders_by_alert(manager.calls, now_ns)
    firing = list(_firing(engine, now_ns))
    if most is not None and len(firing) > most:
        firing = nsmallest(most, firing, key=lambda one: (one.labels.get("severity") != "critical", one.starts_at_ns))
    return sorted(
        (
            msgspec.structs.replace(
                _of(manager, engine, alert, groups.get(alert.fingerprint, []), now_ns),
                ladders=tuple(ladders.get(alert.fingerprint, ())),
            )
            for alert in firing
        ),
        key=lambda one: (one.alert.starts_at_ns, one.alert.fingerprint),
    )


def standing_in_groups(manager: AlertManager) -> list[GroupStanding]:
    """Return the groups with what fires in them.

    Raises:
        AlertManagerStopped: it is not running.
    """
    by_name = {one.alert.fingerprint: one for one in standing(manager)}
    return [
        GroupStanding(labels=group.labels, receiver=group.receiver, alerts=alerts)
        for group in manager.state.groups.values()
        if (alerts := tuple(by_name[name] for name in group.alerts if name in by_name))
    ]


def _firing(engine: Engine, now_ns: int) -> Iterator[Alert]:
    for name in engine.state.alerts:
        alert = engine.alert(name)
        if alert is not None and not alert.is_resolved(now_ns):
            yield alert


def _groups_by_alert(groups: Iterable[Group]) -> dict[str, list[Group]]:
    found: dict[str, list[Group]] = {}
    for group in groups:
        for name in group.alerts:
            found.setdefault(name, []).append(group)
    return found


def _of(manager: AlertManager, engine: Engine, alert: Alert, groups: list[Group], now_ns: int) -> Standing:
    wall_ns = engine.lead.wall_ns(now_ns)
    silenced_by = tuple(engine.silencer.covering(alert.labels, engine.state.silences.values(), wall_ns))
    inhibited_by = _inhibited_by(engine, alert, now_ns)
    has_spoken = any(group.has_flushed for group in groups)
    return Standing(
        alert=on_the_wall_clock(alert, engine.lead.ns),
        state="suppressed" if silenced_by or inhibited_by else "active" if has_spoken else "unprocessed",
        silenced_by=silenced_by,
        inhibited_by=inhibited_by,
        receivers=tuple(dict.fromkeys(group.receiver for group in groups)),
        acknowledged=manager.attention.of(alert.fingerprint, now_ns),
        snoozed=manager.attention.snoozed(alert.fingerprint, now_ns),
    )


def _inhibited_by(engine: Engine, alert: Alert, now_ns: int) -> tuple[str, ...]:
    by_rule = engine.inhibitor.inhibited_by(alert.labels, now_ns)
    by_cause = engine.root_causes.inhibited_by(alert.labels, now_ns) if engine.policy.root_cause else None
    return tuple(name for name in dict.fromkeys((by_rule, by_cause)) if name is not None)


def shown_alerts(manager: AlertManager, most: int | None = None) -> list[Mapping[str, object]]:
    """Return what fires as API and page show it, the longest first.

    Raises:
        AlertManagerStopped: it is not running.
    """
    return [_shown(one) for one in standing(manager, most)]


def _shown(one: Standing) -> Mapping[str, object]:
    alert = one.alert
    return {
        "fingerprint": alert.fingerprint,
        "name": alert.labels.get("alertname", ""),
        "severity": alert.labels.get("severity", ""),
        "state": one.state,
        "labels": alert.labels,
        "annotations": alert.annotations,
        "starts_at_ns": alert.starts_at_ns,
        "silenced_by": one.silenced_by,
        "inhibited_by": one.inhibited_by,
        "receivers": one.receivers,
        "acknowledged": one.acknowledged,
        "snoozed": one.snoozed,
        "ladders": one.ladders,
        "generator_url": alert.generator_url,
    }
